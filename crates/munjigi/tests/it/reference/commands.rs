//! The tree of commands, as the program's own help tells it, written out for a page.

use std::fmt::Write;

use crate::sandbox::Sandbox;

/// A command: a verb, or a group of them.
pub struct Verb {
    /// The words behind `munjigi`.
    path: Vec<String>,
    about: String,
    usage: String,
    commands: Vec<String>,
    arguments: Vec<Entry>,
    options: Vec<Entry>,
}

/// An argument or an option, and what it is for.
#[derive(Clone, PartialEq, Eq)]
struct Entry {
    name: String,
    text: String,
}

impl Verb {
    /// Every command there is, in the order of the help.
    pub fn tree(sandbox: &Sandbox) -> Vec<Self> {
        let mut all = Vec::new();
        grow(sandbox, &[], &mut all);
        all
    }

    pub fn is_leaf(&self) -> bool {
        self.commands.is_empty()
    }

    /// The words behind `munjigi`.
    pub fn name(&self) -> String {
        self.path.join(" ")
    }

    fn read(path: &[String], help: &str) -> Self {
        let (about, rest) = help.split_once("\n\nUsage: ").unwrap();
        let usage = rest.lines().next().unwrap();
        let commands = entries(help, "Commands:").into_iter().map(|entry| entry.name);
        Self {
            path: path.to_vec(),
            about: about.replace('\n', " "),
            usage: usage.to_owned(),
            commands: commands.filter(|name| name != "help").collect(),
            arguments: entries(help, "Arguments:"),
            options: entries(help, "Options:"),
        }
    }
}

fn grow(sandbox: &Sandbox, path: &[String], all: &mut Vec<Verb>) {
    let mut args: Vec<&str> = path.iter().map(String::as_str).collect();
    args.push("--help");
    let done = sandbox.run(&args);
    assert_eq!(done.code, 0, "{done:?}");
    let verb = Verb::read(path, &done.stdout);
    let commands = verb.commands.clone();
    if !path.is_empty() {
        all.push(verb);
    }
    for command in commands {
        grow(sandbox, &[path, &[command]].concat(), all);
    }
}

/// The entries of one section. An entry begins at most six columns from the left; what it says goes
/// on further to the right.
fn entries(help: &str, section: &str) -> Vec<Entry> {
    let lines = help.lines().skip_while(|line| *line != section).skip(1);
    let mut entries: Vec<Entry> = Vec::new();
    for line in lines.take_while(|line| !line.is_empty()) {
        let text = line.trim_start();
        if line.len() - text.len() > 6 {
            let entry = entries.last_mut().unwrap();
            entry.text = format!("{} {text}", entry.text).trim_start().to_owned();
            continue;
        }
        let (name, text) = text.split_once("  ").unwrap_or((text, ""));
        entries.push(Entry { name: name.to_owned(), text: text.trim_start().to_owned() });
    }
    entries
}

/// The options that many verbs have, as those tell them that open a database.
fn shared(verbs: &[Verb]) -> Vec<Entry> {
    let list = verbs.iter().find(|verb| verb.name() == "roles list").unwrap();
    list.options.iter().filter(|option| !option.name.starts_with("-h")).cloned().collect()
}

/// What stands on the page.
pub fn page(verbs: &[Verb]) -> String {
    let shared = shared(verbs);
    let mut out = String::from("\n### Options that many verbs have\n\n");
    table(&mut out, "option", &shared);
    for verb in verbs {
        let deep = if verb.path.len() == 1 { "##" } else { "###" };
        write!(out, "\n{deep} munjigi {}\n\n{}.\n", verb.name(), verb.about).unwrap();
        if !verb.is_leaf() {
            continue;
        }
        write!(out, "\n```console\n$ {}\n```\n", verb.usage).unwrap();
        let own = |option: &&Entry| !option.name.starts_with("-h") && !shared.contains(option);
        let options: Vec<Entry> = verb.options.iter().filter(own).cloned().collect();
        for (head, entries) in [("argument", &verb.arguments), ("option", &options)] {
            if !entries.is_empty() {
                out.push('\n');
                table(&mut out, head, entries);
            }
        }
        let also = verb.options.iter().filter(|option| shared.contains(option));
        let also: Vec<String> = also.map(|option| format!("`{}`", option.name)).collect();
        write!(out, "\nShared: {}.\n", also.join(", ")).unwrap();
    }
    out.push('\n');
    out
}

fn table(out: &mut String, head: &str, entries: &[Entry]) {
    write!(out, "| {head} | what it says |\n|---|---|\n").unwrap();
    for Entry { name, text } in entries {
        writeln!(out, "| `{name}` | {} |", text.replace('|', "\\|")).unwrap();
    }
}
