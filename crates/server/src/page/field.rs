//! The inputs of a form, and what is wrong with them. What a person typed is kept, but for
//! passwords, which never go into a page.

use std::fmt::Display;

use crate::page::frame::Frame;
use crate::reply::wait::Wait;

/// Something that is wrong with what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// The name of the input; `None` for the form as a whole.
    pub field: Option<&'static str>,
    /// What it is and what to do, in the language of the page.
    pub sentence: String,
}

impl Complaint {
    /// About an input, in both languages: what the rules of `munjigi-core` say.
    pub fn about(
        frame: &Frame,
        field: &'static str,
        english: impl Display,
        korean: impl Display,
    ) -> Self {
        let sentence = frame.locale.pick(english.to_string(), korean.to_string());
        Self { field: Some(field), sentence }
    }

    /// An input is empty that must not be.
    pub fn missing(frame: &Frame, field: &'static str) -> Self {
        Self { field: Some(field), sentence: frame.text("complaint-missing") }
    }

    /// The user name or the password is wrong; the same for an account that there is not.
    pub fn wrong_credentials(frame: &Frame) -> Self {
        Self { field: None, sentence: frame.text("complaint-credentials") }
    }

    /// The current password, asked for once more, is wrong.
    pub fn wrong_password(frame: &Frame, field: &'static str) -> Self {
        Self { field: Some(field), sentence: frame.text("complaint-password") }
    }

    /// Another password was chosen at sign-up.
    pub fn other_password(frame: &Frame) -> Self {
        Self { field: Some("password"), sentence: frame.text("complaint-other-password") }
    }

    /// Too many attempts; when to try again.
    pub fn too_many_attempts(frame: &Frame, wait: Wait) -> Self {
        let sentence = frame.locale.count("complaint-attempts", wait.as_seconds());
        Self { field: None, sentence }
    }

    /// The address is the one that the account has already.
    pub fn same_email(frame: &Frame) -> Self {
        Self { field: Some("email"), sentence: frame.text("complaint-email-same") }
    }

    /// The user name is somebody else's. (Of an e-mail address this is never said.)
    pub fn username_taken(frame: &Frame) -> Self {
        Self { field: Some("username"), sentence: frame.text("complaint-username-taken") }
    }

    /// A device's code that nobody was given, or that is over.
    pub fn unknown_user_code(frame: &Frame) -> Self {
        Self { field: Some("user_code"), sentence: frame.text("complaint-user-code") }
    }
}

/// An input that nobody sees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl Hidden {
    /// With its name and value.
    pub fn new(name: &str, value: &str) -> Self {
        Self { name: name.to_owned(), value: value.to_owned() }
    }
}

/// One input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name on the wire and its id in the page.
    pub name: &'static str,
    /// What stands above it.
    pub label: String,
    /// `text`, `email` or `password`.
    pub kind: &'static str,
    /// The token by which a browser knows what to fill in (WCAG 1.3.5).
    pub autocomplete: &'static str,
    /// The keyboard that a phone shows.
    pub inputmode: &'static str,
    /// What was typed before; empty for passwords.
    pub value: String,
    /// What stands below it.
    pub hint: Option<String>,
    /// What is wrong with it.
    pub error: Option<String>,
    /// Whether it may stay empty.
    pub is_optional: bool,
    /// Whether it has the focus when the page comes.
    pub is_focused: bool,
}

impl Field {
    fn new(frame: &Frame, name: &'static str, label: &str) -> Self {
        Self {
            name,
            label: frame.text(label),
            kind: "text",
            autocomplete: "off",
            inputmode: "text",
            value: String::new(),
            hint: None,
            error: None,
            is_optional: false,
            is_focused: false,
        }
    }

    /// Who signs in: a user name or an e-mail address.
    pub fn identifier(frame: &Frame) -> Self {
        let field = Self::new(frame, "username", "field-identifier");
        Self { autocomplete: "username", inputmode: "email", ..field }
    }

    /// The user name of a new account.
    pub fn username(frame: &Frame) -> Self {
        let field = Self::new(frame, "username", "field-username");
        Self { autocomplete: "username", ..field }
    }

    /// An e-mail address.
    pub fn email(frame: &Frame, label: &str) -> Self {
        let field = Self::new(frame, "email", label);
        Self { kind: "email", autocomplete: "email", inputmode: "email", ..field }
    }

    /// What a person wants to be called.
    pub fn name(frame: &Frame) -> Self {
        Self { autocomplete: "name", ..Self::new(frame, "name", "field-name") }
    }

    /// The password that there is.
    pub fn current_password(frame: &Frame, name: &'static str, label: &str) -> Self {
        let field = Self::new(frame, name, label);
        Self { kind: "password", autocomplete: "current-password", ..field }
    }

    /// A password that is being chosen.
    pub fn new_password(frame: &Frame, name: &'static str, label: &str) -> Self {
        let field = Self::new(frame, name, label);
        let hint = Some(frame.text("field-new-password-hint"));
        Self { kind: "password", autocomplete: "new-password", hint, ..field }
    }

    /// The code that a device shows (RFC 8628 §3.3).
    pub fn user_code(frame: &Frame) -> Self {
        let field = Self::new(frame, "user_code", "field-user-code");
        let hint = Some(frame.text("field-user-code-hint"));
        Self { autocomplete: "one-time-code", hint, ..field }
    }

    /// With what was typed before.
    #[must_use]
    pub fn value(self, value: &str) -> Self {
        Self { value: value.to_owned(), ..self }
    }

    /// With a sentence below it.
    #[must_use]
    pub fn hint(self, hint: String) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// May stay empty.
    #[must_use]
    pub fn optional(self) -> Self {
        Self { is_optional: true, ..self }
    }

    /// Has the focus when the page comes, unless something is wrong: then that has it.
    #[must_use]
    pub fn focused(self) -> Self {
        Self { is_focused: true, ..self }
    }

    /// Whether a password is being chosen, whose rules a browser may know.
    pub fn is_new_password(&self) -> bool {
        self.autocomplete == "new-password"
    }

    /// The ids of the sentences that belong to it (WCAG 1.3.1).
    pub fn described_by(&self) -> Option<String> {
        let hint = self.hint.as_ref().map(|_| format!("{}-hint", self.name));
        let error = self.error.as_ref().map(|_| format!("{}-error", self.name));
        let ids: Vec<_> = [error, hint].into_iter().flatten().collect();
        (!ids.is_empty()).then(|| ids.join(" "))
    }
}

/// A form: where it goes, what it holds, what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FormView {
    /// Where it goes.
    pub action: String,
    /// What it carries along.
    pub hidden: Vec<Hidden>,
    /// Its inputs.
    pub fields: Vec<Field>,
    /// What is wrong, said once at the top; it has the focus then.
    pub complaints: Vec<Complaint>,
}

impl FormView {
    /// A form with its inputs, each with what is wrong with it.
    pub fn new(action: String, fields: Vec<Field>, complaints: Vec<Complaint>) -> Self {
        let complained = |field: Field| {
            let found = complaints.iter().find(|it| it.field == Some(field.name));
            let error = found.map(|it| it.sentence.clone());
            let is_focused = field.is_focused && complaints.is_empty();
            Field { error, is_focused, ..field }
        };
        let fields = fields.into_iter().map(complained).collect();
        Self { action, hidden: Vec::new(), fields, complaints }
    }

    /// With something that it carries along, if there is something.
    #[must_use]
    pub fn carrying(mut self, name: &str, value: Option<&str>) -> Self {
        self.hidden.extend(value.map(|value| Hidden::new(name, value)));
        self
    }
}
