//! The errors that are planted, each with the narrowest tests that have to notice it. A test holds
//! the names to the places in the code and to docs/reference/reliability.md.

/// One error.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// Its name at its place: `planted!("name", …)`.
    pub name: &'static str,
    /// The test program: a crate, and `it` or `lib`.
    pub program: &'static str,
    /// What the names of the tests contain, with spaces between.
    pub tests: &'static str,
}

const fn bug(name: &'static str, program: &'static str, tests: &'static str) -> Bug {
    Bug { name, program, tests }
}

/// All of them, from the token outwards.
pub const BUGS: &[Bug] = &[
    bug("signature_unchecked", "token/it", "vectors::every_vector"),
    bug("issuer_unchecked", "token/it", "attacks::a_token_with_one_thing_wrong"),
    bug("audience_unchecked", "token/it", "attacks::a_token_with_one_thing_wrong"),
    bug("expiry_unchecked", "token/it", "attacks::the_leeway_moves_each_edge"),
    bug("typ_unchecked", "token/it", "attacks::each_kind_of_token_passes"),
    bug("crit_ignored", "token/it", "attacks::a_token_with_one_thing_wrong"),
    bug("repeated_claim_taken", "token/it", "vectors::every_vector"),
    bug("jwks_private_member", "server/it", "metadata::the_key_set_has_public_members_only"),
    bug("any_algorithm", "verify/it", "tokens::only_the_listed_algorithms"),
    bug(
        "revoked_but_remembered",
        "verify/it",
        "cache::a_remembered_token_is_refused_once_it_is_revoked",
    ),
    bug("pkce_skipped", "core/lib", "code::tests::challenge_and_verifier_come_together"),
    bug("code_in_any_hands", "server/it", "code_flow::a_code_in_the_wrong_hands"),
    bug("redirect_uri_by_prefix", "server/it", "code_flow::what_only_looks_like_the_registered"),
    bug("theft_overlooked", "server/it", "refresh::a_refresh_token_used_again_later"),
    bug("disabled_user_refreshes", "core/lib", "grant::tests::nothing_lives_on_after_its_user"),
    bug("scope_unbounded", "core/lib", "scope::tests::a_client_asks_for_what_it_may_have"),
    bug("reach_unchecked", "server/it", "admin::hr_edits_other_profiles"),
    bug("post_logout_open_redirect", "server/it", "sign_out::an_address_that_is_not_registered"),
    bug("code_spent_twice", "store/it", "codes::a_code_is_spent_once"),
    bug("pushed_request_spent_twice", "store/it", "pushed_requests::a_request_is_spent_once"),
    bug("device_code_spent_twice", "store/it", "devices::a_device_code_is_spent_once"),
    bug("mailed_link_spent_twice", "store/it", "links::a_link_is_spent_once"),
    bug("row_count_ignored", "store/it", "grants::who_lost_is_run_again"),
    bug("sqlite_synchronous_normal", "store/lib", "connection::tests::a_commit_waits_for_the_disk"),
    bug("postgres_read_committed", "store/it", "isolation::write_skew_does_not_happen"),
    bug("postgres_asynchronous_commit", "store/it", "opening::postgres_without_durability"),
    bug("answered_before_the_commit", "store/it", "batch::a_commit_that_fails"),
    bug("event_dropped", "server/it", "trail::a_change_says_in_the_trail"),
    bug("sequencer_skips_a_leaf", "server/it", "sequencer::every_event_gets_a_place"),
    bug("dpop_proof_good_twice", "server/it", "possession::a_proof_is_good_once"),
    bug("proof_of_any_request", "server/it", "possession::a_proof_is_for_this_request"),
    bug("assertion_good_twice", "server/it", "private_key_jwt::an_assertion_is_good_once"),
    bug("cross_site_form_taken", "server/it", "account_pages::a_form_from_another_site"),
    bug("cookie_for_scripts", "server/lib", "cookies::tests::a_cookie_is_for_this_host"),
    bug("password_not_compared", "server/it", "accounts::a_refused_sign_in_tells_nothing"),
    bug("dummy_hash_skipped", "server/it", "accounts::sign_ins_beyond_what_can_be_hashed"),
    bug("guess_not_counted", "server/it", "token::guesses_share_one_budget"),
    bug("password_change_keeps_sessions", "server/it", "account_pages::a_new_password_ends"),
    bug("revocation_unannounced", "server/it", "revocations::what_an_operator_ends"),
    bug("role_unchecked_on_one_route", "server/it", "trail::a_refused_admin_call"),
    bug("flow_in_any_browser", "server/it", "code_flow::a_way_that_was_begun_in_one_browser"),
    bug("introspection_for_everybody", "server/it", "introspection::"),
    bug("private_address_fetched", "server/lib", "fetch::"),
];
