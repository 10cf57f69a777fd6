//! The files that tidy reads. It must not follow links or read what a build left behind.

use std::fs;
use std::io;
use std::path::Path;

/// What a build or a tool leaves behind, and what nobody wrote here.
const SKIPPED: [&str; 6] =
    [".git", "target", "node_modules", "munjigi-dev", "__pycache__", ".venv"];

/// Endings of files that people write here. A file without an ending is text as well.
const TEXT: [&str; 18] = [
    "rs", "toml", "md", "sql", "html", "css", "js", "mjs", "ts", "json", "py", "java", "sh", "txt",
    "yml", "yaml", "ftl", "lock",
];

/// One text file.
#[derive(Debug)]
pub struct Source {
    /// From the top of the repository, with `/`.
    pub path: String,
    /// The whole text.
    pub text: String,
}

impl Source {
    /// A file with this path and text.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    pub(super) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    pub(super) fn is_under(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }

    /// The last part of the path, without its ending.
    pub(super) fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.split_once('.').map_or(name, |(stem, _)| stem)
    }
}

/// The text files of a repository.
#[derive(Debug, Default)]
pub struct Tree {
    /// In the order of their paths.
    pub sources: Vec<Source>,
}

impl Tree {
    /// Reads every text file under `root`. Files that are not UTF-8 are not text.
    ///
    /// # Errors
    /// A folder or file that cannot be read.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.read_folder(root, "")?;
        tree.sources.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    fn read_folder(&mut self, folder: &Path, prefix: &str) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}/{name}") };
            let kind = entry.file_type()?;
            if kind.is_dir() && !SKIPPED.contains(&name.as_str()) {
                self.read_folder(&entry.path(), &path)?;
            } else if kind.is_file() && is_text(&name) {
                self.read_file(&entry.path(), path)?;
            }
        }
        Ok(())
    }

    fn read_file(&mut self, file: &Path, path: String) -> io::Result<()> {
        match fs::read_to_string(file) {
            Ok(text) => self.sources.push(Source { path, text }),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {}
            // A test of a colleague may have removed its file since the folder was listed.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

fn is_text(name: &str) -> bool {
    match name.trim_start_matches('.').rsplit_once('.') {
        Some((_, ending)) => TEXT.contains(&ending),
        None => true,
    }
}
