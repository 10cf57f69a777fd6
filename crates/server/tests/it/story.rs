//! The story of the tutorials, from sign-up to a refused request after sign-out, on both databases.

use http::Method;
use munjigi_store::each_backend;
use serde_json::json;

use crate::harness::{JUN, MINJI, TestApp, claims};

each_backend! {
    /// Sign up, sign in, call, refresh, sign out: what the five tutorials describe.
    async fn a_person_signs_up_and_in_calls_refreshes_and_signs_out(database) {
        let app = TestApp::start_with(&database).await;
        let body = json!({"email": "go@test.com", "password": "planner-1234", "username": "고길동"});
        let made = app.post("/api/v1/users/signup", body).await.expect(201);
        assert_eq!(made.json()["username"], "고길동");
        assert_eq!(made.json()["roles"], json!(["user"]));

        app.advance(1);
        let tokens = app.sign_in(("go@test.com", "planner-1234")).await;
        let me = app.read_as("/api/v1/users/me", &tokens.access).await.expect(200);
        assert_eq!(me.text("/id"), made.text("/id"));
        let said = claims(&tokens.access);
        assert_eq!(said["sub"], made.json()["id"]);
        assert_eq!(said["client_id"], "first-party");

        app.advance(1);
        let next = app.refresh(&tokens.refresh).await.tokens();
        assert_ne!(next.refresh, tokens.refresh);
        app.act_as(Method::POST, "/api/v1/users/signout", &next.access).await.expect(204);
        for token in [&tokens.access, &next.access] {
            app.read_as("/api/v1/users/me", token).await.expect(401);
        }
        app.advance(1);
        app.refresh(&next.refresh).await.expect(400);

        let trail = app.trail(&made.text("/id")).await;
        assert_eq!(trail, ["refresh_refused", "signed_out", "signed_in", "user_created"]);
    }

    /// S6: 401 without a token, 403 without the role, 200 with it.
    async fn admin_stats_tells_401_403_and_200_apart(database) {
        let app = TestApp::start_with(&database).await;
        let path = "/api/v1/admin/stats";

        let nobody = app.get(path).await.expect(401);
        assert_eq!(nobody.header("www-authenticate"), Some("Bearer"));
        let plain = app.sign_in(MINJI).await;
        app.read_as(path, &plain.access).await.expect(403);
        let admin = app.sign_in(JUN).await;
        let stats = app.read_as(path, &admin.access).await.expect(200);
        assert_eq!(stats.json()["users"], 2);
    }
}
