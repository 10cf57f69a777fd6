//! Why a command ended without having done what was asked: a sentence for people, an exit code for
//! programs.

use std::process::ExitCode;

use munjigi_server::Failure;
use munjigi_server::config::Mistake;
use munjigi_server::operate::OperateError;
use munjigi_store::StoreError;

/// The exit codes. They are stable; 0 is success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// Something failed.
    Failed,
    /// The command was not written as it has to be.
    Usage,
    /// What was named is not there.
    NotFound,
    /// The operating system denies it.
    Denied,
    /// It is in the way of something that is there.
    Conflict,
    /// What was checked is not as it has to be.
    CheckFailed,
    /// The database cannot be opened or reached.
    Unreachable,
}

/// The end of a command.
#[derive(Debug)]
pub struct Stop {
    code: Code,
    message: String,
}

impl Stop {
    /// An end with a sentence for people.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// An end that standard output has already told everything about.
    pub fn told(code: Code) -> Self {
        Self::new(code, "")
    }

    /// A command that was not written as it has to be.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Code::Usage, message)
    }

    /// A file that cannot be read or written.
    pub fn file(what: &str, error: &std::io::Error) -> Self {
        let code = match error.kind() {
            std::io::ErrorKind::NotFound => Code::NotFound,
            std::io::ErrorKind::PermissionDenied => Code::Denied,
            _ => Code::Failed,
        };
        Self::new(code, format!("{what}: {error}"))
    }

    /// A database that could not be opened, for whatever reason, or what came of it.
    pub fn unopened(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => Self::new(Code::Unreachable, error.to_string()),
            other => other.into(),
        }
    }

    /// Everything that is wrong with a configuration.
    pub fn mistakes(code: Code, mistakes: &[Mistake]) -> Self {
        let count = match mistakes.len() {
            1 => "one mistake".to_owned(),
            more => format!("{more} mistakes"),
        };
        let mut message = format!("the configuration has {count}");
        for mistake in mistakes {
            message.push_str("\n  ");
            message.push_str(&mistake.to_string());
        }
        Self::new(code, message)
    }

    /// Tells people on standard error, programs by the exit code.
    pub fn report(self) -> ExitCode {
        if !self.message.is_empty() {
            eprintln!("munjigi: {}", self.message);
        }
        ExitCode::from(self.code.number())
    }
}

impl Code {
    fn number(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Denied => 4,
            Self::Conflict => 5,
            Self::CheckFailed => 6,
            Self::Unreachable => 7,
        }
    }
}

impl From<OperateError> for Stop {
    fn from(error: OperateError) -> Self {
        let code = match error {
            OperateError::NotFound { .. } => Code::NotFound,
            OperateError::Conflict(_) => Code::Conflict,
            // The password policy, or a contradiction in a registration.
            OperateError::Refused(_) => Code::CheckFailed,
            OperateError::Failure(failure) => return failure.into(),
        };
        Self::new(code, error.to_string())
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        let code = match &failure {
            Failure::Store(
                StoreError::Unavailable(_) | StoreError::Busy | StoreError::Overloaded,
            ) => Code::Unreachable,
            _ => Code::Failed,
        };
        match failure {
            Failure::Store(error) => Self::new(code, error.to_string()),
            other => Self::new(code, other.to_string()),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Failure::from(error).into()
    }
}
