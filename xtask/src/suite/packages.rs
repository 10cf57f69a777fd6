//! What the tests need beside Rust: PostgreSQL, Python, Node, a JDK, Maven, Chromium, curl,
//! openssl, nginx, Caddy; and the packages of the third-party clients. It must not change a system
//! that lacks nothing.

use std::fs;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::step::{Outcome, command, run, succeeds};

/// One thing that the tests start, and Debian's packages that bring it.
struct Need {
    name: &'static str,
    packages: &'static [&'static str],
    is_there: fn() -> bool,
}

const NEEDS: [Need; 10] = [
    Need { name: "PostgreSQL", packages: &["postgresql"], is_there: has_postgresql },
    Need { name: "Python with venv", packages: &["python3", "python3-venv"], is_there: has_python },
    Need { name: "Node", packages: &["nodejs", "npm"], is_there: has_node },
    Need { name: "a JDK", packages: &["default-jdk-headless"], is_there: has_java },
    Need { name: "Maven", packages: &["maven"], is_there: has_maven },
    Need { name: "Chromium", packages: &["chromium"], is_there: has_chromium },
    Need { name: "curl", packages: &["curl"], is_there: has_curl },
    Need { name: "openssl", packages: &["openssl"], is_there: has_openssl },
    Need { name: "nginx", packages: &["nginx"], is_there: has_nginx },
    Need { name: "Caddy", packages: &["caddy"], is_there: has_caddy },
];

/// Holds what an installation was asked for, once it is complete.
const STAMP: &str = "installed";

/// Installs Debian's packages for what is missing.
pub(super) fn install_system_packages() -> Outcome {
    let missing: Vec<&Need> = missing().collect();
    if missing.is_empty() {
        return Outcome::Passed;
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.packages).copied().collect();
    if let Err(why) = apt_install(&packages) {
        let names: Vec<&str> = missing.iter().map(|need| need.name).collect();
        let (names, packages) = (names.join(", "), packages.join(" "));
        return Outcome::Skipped(format!(
            "{names} not found, and {why}; run `apt-get install {packages}` as root"
        ));
    }
    match self::missing().map(|need| need.name).collect::<Vec<_>>() {
        names if names.is_empty() => Outcome::Passed,
        names => Outcome::Skipped(format!("installed, but not found: {}", names.join(", "))),
    }
}

fn missing() -> impl Iterator<Item = &'static Need> {
    NEEDS.iter().filter(|need| !(need.is_there)())
}

fn apt_install(packages: &[&str]) -> Result<(), String> {
    if !succeeds(command("apt-get").arg("--version")) {
        return Err("this is no Debian (no apt-get)".to_owned());
    }
    let install = ["install", "--yes", "--no-install-recommends"];
    let apt = |arguments: &[&str]| -> Result<Outcome, String> {
        let mut apt = as_root("apt-get")?;
        Ok(run(apt.args(["-o", "DPkg::Lock::Timeout=300"]).args(arguments)))
    };
    // Stale lists may be enough, and one source that is down must not stop the others.
    apt(&["update"])?;
    match apt(&[&install[..], packages].concat())? {
        Outcome::Failed(why) => Err(why),
        _ => Ok(()),
    }
}

/// `sudo` asks for a password only where somebody can type one.
fn as_root(program: &str) -> Result<Command, String> {
    let id = command("id").arg("-u").output();
    let is_root = id.is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    let mut root = if is_root {
        command("env")
    } else if succeeds(command("sudo").arg("-V")) {
        let mut sudo = command("sudo");
        if !std::io::stdin().is_terminal() {
            sudo.arg("-n");
        }
        sudo.arg("env");
        sudo
    } else {
        return Err("this is not root and there is no sudo".to_owned());
    };
    root.args(["DEBIAN_FRONTEND=noninteractive", program]);
    Ok(root)
}

fn has_postgresql() -> bool {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let is_in_debians_place =
        versions.into_iter().any(|version| version.path().join("bin/initdb").is_file());
    is_in_debians_place || succeeds(command("initdb").arg("--version"))
}

fn has_python() -> bool {
    succeeds(command("python3").args(["-c", "import venv, ensurepip"]))
}

fn has_node() -> bool {
    succeeds(command("node").arg("--version")) && succeeds(command("npm").arg("--version"))
}

fn has_java() -> bool {
    succeeds(command("javac").arg("-version")) && succeeds(command("java").arg("-version"))
}

fn has_maven() -> bool {
    succeeds(command("mvn").arg("--version"))
}

fn has_chromium() -> bool {
    succeeds(command("chromium").arg("--version"))
}

fn has_curl() -> bool {
    succeeds(command("curl").arg("--version"))
}

fn has_openssl() -> bool {
    succeeds(command("openssl").arg("version"))
}

fn has_nginx() -> bool {
    // In Debian's place, which is on the path of root alone.
    Path::new("/usr/sbin/nginx").is_file() || succeeds(command("nginx").arg("-v"))
}

fn has_caddy() -> bool {
    succeeds(command("caddy").arg("version"))
}

/// `target/e2e-python`: a virtual environment with the packages of `e2e/requirements.txt`.
pub(super) fn install_python() -> Outcome {
    if !has_python() {
        return Outcome::Skipped("there is no Python".to_owned());
    }
    let folder = target("e2e-python");
    let runs = succeeds(command(folder.join("bin/python")).arg("--version"));
    if !runs && let Err(error) = forget(&folder) {
        return Outcome::Failed(format!("cannot renew {}: {error}", folder.display()));
    }
    install(&folder, &["requirements.txt"], |folder| {
        let made = run(command("python3").args(["-m", "venv", "--clear"]).arg(folder));
        if made != Outcome::Passed {
            return made;
        }
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"];
        run(command(folder.join("bin/python")).args(pip).arg(source("requirements.txt")))
    })
}

/// `target/e2e-node`: the packages of `e2e/package-lock.json`, without their scripts.
pub(super) fn install_node() -> Outcome {
    if !has_node() {
        return Outcome::Skipped("there is no Node".to_owned());
    }
    let folder = target("e2e-node");
    install(&folder, &["package.json", "package-lock.json"], |folder| {
        for name in ["package.json", "package-lock.json"] {
            if let Err(error) = fs::copy(source(name), folder.join(name)) {
                return Outcome::Failed(format!("cannot copy {name}: {error}"));
            }
        }
        let clean = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        run(command("npm").args(clean).current_dir(folder))
    })
}

/// `target/e2e-go`: the verifier and the auditor of `e2e/clients/go`. Debian's Go is too old for
/// their libraries, so that Go is used where somebody installed it, and left out loudly elsewhere.
pub(super) fn install_go() -> Outcome {
    if !succeeds(command("go").arg("version")) {
        return Outcome::LeftOut("there is no Go: coreos/go-oidc and sumdb are not run".to_owned());
    }
    let sources = [
        "clients/go/main.go",
        "clients/go/auditor/main.go",
        "clients/go/go.mod",
        "clients/go/go.sum",
    ];
    install(&target("e2e-go"), &sources, |folder| {
        for (name, package) in [("verifier", "."), ("auditor", "./auditor")] {
            let mut build = command("go");
            let build = build.args(["build", "-o"]).arg(folder.join(name)).arg(package);
            match run(build.current_dir(source("clients/go"))) {
                Outcome::Passed => {}
                failed => return failed,
            }
        }
        Outcome::Passed
    })
}

/// `target/e2e-spring`: the verifier of `e2e/clients/spring` and its libraries.
pub(super) fn install_spring() -> Outcome {
    if !has_maven() || !has_java() {
        return Outcome::LeftOut("there is no Maven: Spring Security is not run".to_owned());
    }
    let sources = ["clients/spring/pom.xml", "clients/spring/src/main/java/verifier/Main.java"];
    install(&target("e2e-spring"), &sources, |folder| {
        let mut build = command("mvn");
        let build =
            build.args(["-q", "-B", "package"]).arg(format!("-DbuildDir={}", folder.display()));
        run(build.current_dir(source("clients/spring")))
    })
}

fn target(name: &str) -> PathBuf {
    crate::root().join("target").join(name)
}

fn source(name: &str) -> PathBuf {
    crate::root().join("e2e").join(name)
}

/// A virtual environment dies with the Python that made it.
fn forget(folder: &Path) -> std::io::Result<()> {
    match fs::remove_file(folder.join(STAMP)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Runs an installation unless the folder already holds what these files ask for.
fn install(folder: &Path, asked: &[&str], work: impl FnOnce(&Path) -> Outcome) -> Outcome {
    let read = |name: &&str| fs::read_to_string(source(name));
    let wanted = match asked.iter().map(read).collect::<Result<String, _>>() {
        Ok(wanted) => wanted,
        Err(error) => return Outcome::Failed(format!("cannot read e2e/{asked:?}: {error}")),
    };
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|text| text == wanted) {
        return Outcome::Passed;
    }
    if let Err(error) = fs::create_dir_all(folder) {
        return Outcome::Failed(format!("cannot make {}: {error}", folder.display()));
    }
    match work(folder) {
        // Written last: an installation that was cut short is done again.
        Outcome::Passed => match fs::write(&stamp, wanted) {
            Ok(()) => Outcome::Passed,
            Err(error) => Outcome::Failed(format!("cannot write {}: {error}", stamp.display())),
        },
        other => other,
    }
}
