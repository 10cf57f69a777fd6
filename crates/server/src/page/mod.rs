//! The pages that people see: a struct of plain values for each, a template that only shows them,
//! and the headers that keep what a page shows between this server and one person. Nothing here
//! decides anything; the endpoints do.
//!
//! An endpoint takes [`frame::Frame`] (and [`form::PageForm`] for a form that was sent), builds a
//! page by its constructor, and answers with [`reply::View::reply`] or [`reply::Page::see_other`].

pub mod account;
pub mod agent;
pub mod assets;
pub mod confirm;
pub mod consent;
pub mod cookies;
pub mod dev;
pub mod device;
pub mod failed;
pub mod field;
pub mod form;
pub mod form_post;
pub mod frame;
pub mod locale;
pub mod login;
pub mod moment;
pub mod outcome;
pub mod recover;
pub mod redirect_difference;
pub mod reply;
pub mod sign_out;
pub mod sign_up;
pub mod texts;
pub mod verify;

#[cfg(test)]
mod gallery;
