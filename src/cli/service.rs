//! `deliveryd service install` and `uninstall`: the systemd unit and what belongs to it.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::args::Global;
use super::{Exit, Output, ServiceArgs, ServiceCommand, init};
use crate::service::files::{Content, Scope};
use crate::service::install::{self, Deed, Step};

pub(super) const EXAMPLES: &str = "Examples:\n  \
    deliveryd service install --dry-run                 what would be written\n  \
    sudo deliveryd service install                      the machine's service\n  \
    sudo systemctl enable --now deliveryd               start it, now and with the machine\n  \
    deliveryd service install --user                    a service of yours, without root\n  \
    sudo deliveryd service uninstall                    stop and remove it; the configuration stays";

/// Installs or uninstalls.
///
/// # Errors
/// What the writers say.
pub fn service(
    command: &ServiceCommand,
    global: &Global,
    output: &mut Output<'_>,
) -> io::Result<Exit> {
    let (ServiceCommand::Install(args) | ServiceCommand::Uninstall(args)) = command;
    let scope = match scope(args) {
        Ok(scope) => scope,
        Err(why) => return fail(output, &why),
    };
    if let Some(option) = ignored(global) {
        let config = scope.config_file();
        writeln!(
            output.err,
            "error: {option} has no place here: the service reads {}",
            config.display()
        )?;
        return Ok(Exit::Usage);
    }
    let manager = Manager::of(&scope);
    let outcome = match command {
        ServiceCommand::Install(args) => install(&scope, &manager, args.dry_run, output)?,
        ServiceCommand::Uninstall(args) => uninstall(&scope, &manager, args.dry_run, output)?,
    };
    match outcome {
        Ok(()) => Ok(Exit::Done),
        Err(why) => fail(output, &why),
    }
}

/// What a command came to; the sentence says why it failed.
type Outcome = Result<(), String>;

fn fail(output: &mut Output<'_>, why: &str) -> io::Result<Exit> {
    writeln!(output.err, "error: {why}")?;
    Ok(Exit::Failed)
}

fn ignored(global: &Global) -> Option<&'static str> {
    let given = [
        ("--config", global.config.is_some()),
        ("--set", !global.sets.is_empty()),
        ("--control", global.control.is_some()),
    ];
    let first = given.iter().find(|(_, given)| *given);
    first.map(|(option, _)| *option)
}

fn scope(args: &ServiceArgs) -> Result<Scope, String> {
    if !args.user {
        let root = std::path::absolute(&args.root).map_err(|error| error.to_string())?;
        return Ok(Scope::System { root });
    }
    let directory = |name| std::env::var_os(name).map(PathBuf::from);
    let configs = directory("XDG_CONFIG_HOME")
        .filter(|path| path.is_absolute())
        .or_else(|| Some(directory("HOME")?.join(".config")));
    match configs {
        Some(configs) => Ok(Scope::User { configs }),
        None => Err("neither HOME nor XDG_CONFIG_HOME says where the unit goes".to_owned()),
    }
}

fn install(
    scope: &Scope,
    manager: &Manager,
    dry: bool,
    output: &mut Output<'_>,
) -> io::Result<Outcome> {
    if let Some(unit) = scope.packaged_unit() {
        writeln!(
            output.out,
            "nothing to do: a package has installed {}\n\nnow: {}",
            unit.display(),
            manager.systemctl("enable --now deliveryd")
        )?;
        return Ok(Ok(()));
    }
    if !dry && let Err(why) = manager.may() {
        return Ok(Err(why));
    }
    let steps = std::env::current_exe()
        .and_then(|program| program.canonicalize())
        .map_err(|error| format!("this program's own place is not known: {error}"))
        .and_then(|program| {
            let starters = init::starters().map_err(|error| error.to_string())?;
            install::look(scope, &program, &starters).map_err(|error| error.to_string())
        });
    let steps = match steps {
        Ok(steps) => steps,
        Err(why) => return Ok(Err(why)),
    };
    if dry {
        return show(&steps, manager, output).map(Ok);
    }
    for step in &steps {
        if let Err(error) = install::take(step) {
            return Ok(Err(format!("{error}; what was written before it stays")));
        }
        writeln!(
            output.out,
            "{:9} {}",
            done(step.deed),
            step.piece.path.display()
        )?;
    }
    for command in &manager.after_installing {
        if let Err(why) = command.run() {
            return Ok(Err(why));
        }
    }
    writeln!(output.out, "\n{}", manager.next(scope, &steps))?;
    Ok(Ok(()))
}

/// What installing would do, with the texts.
fn show(steps: &[Step], manager: &Manager, output: &mut Output<'_>) -> io::Result<()> {
    for step in steps {
        let path = step.piece.path.display();
        let would = match step.deed {
            Deed::Create => "would be new",
            Deed::Replace => "would be replaced",
            Deed::Nothing => "is there as it should be",
            Deed::Keep => "is there and would be kept",
        };
        writeln!(output.out, "== {path}: {would}")?;
        if !matches!(step.deed, Deed::Create | Deed::Replace) {
            continue;
        }
        match &step.piece.content {
            Content::CopyOf(file) => writeln!(output.out, "a copy of {}\n", file.display())?,
            // 1,000 lines that nobody reads.
            Content::Text(_) if step.piece.path.extension().is_some_and(|e| e == "json") => {
                writeln!(output.out, "what `deliveryd config schema` prints\n")?;
            }
            Content::Text(text) => writeln!(output.out, "{text}")?,
        }
    }
    for command in &manager.after_installing {
        writeln!(output.out, "== then: {}", command.line())?;
    }
    Ok(())
}

fn done(deed: Deed) -> &'static str {
    match deed {
        Deed::Create => "wrote",
        Deed::Replace => "replaced",
        Deed::Nothing => "unchanged",
        Deed::Keep => "kept",
    }
}

fn uninstall(
    scope: &Scope,
    manager: &Manager,
    dry: bool,
    output: &mut Output<'_>,
) -> io::Result<Outcome> {
    let installed = scope.unit().symlink_metadata().is_ok();
    if !installed && let Some(unit) = scope.packaged_unit() {
        return Ok(Err(format!(
            "{} came with a package, which removes it: apt remove deliveryd",
            unit.display()
        )));
    }
    let stop: Vec<&Call> = match installed {
        true => manager.before_uninstalling.iter().collect(),
        false => Vec::new(),
    };
    if dry {
        for command in stop {
            writeln!(output.out, "== first: {}", command.line())?;
        }
        for path in install::removed(scope) {
            writeln!(output.out, "== {}: would be removed", path.display())?;
        }
        return remains(scope, "would stay:", output).map(Ok);
    }
    if let Err(why) = manager.may() {
        return Ok(Err(why));
    }
    for command in stop {
        if let Err(why) = command.run() {
            return Ok(Err(format!("{why}; nothing was removed")));
        }
    }
    let removed = install::removed(scope);
    if removed.is_empty() {
        writeln!(output.out, "no service is installed")?;
    }
    for path in removed {
        if let Err(error) = install::remove(&path) {
            return Ok(Err(error.to_string()));
        }
        writeln!(output.out, "removed   {}", path.display())?;
    }
    for command in &manager.after_uninstalling {
        if let Err(why) = command.run() {
            return Ok(Err(why));
        }
    }
    remains(scope, "left", output).map(Ok)
}

/// Whoever uninstalls is told what is still there.
fn remains(scope: &Scope, what: &str, output: &mut Output<'_>) -> io::Result<()> {
    for path in scope.remains() {
        writeln!(output.out, "{what:9} {}", path.display())?;
    }
    if scope.has_user() {
        writeln!(output.out, "{what:9} the user deliveryd")?;
    }
    Ok(())
}

/// A call of one of systemd's programs.
struct Call {
    program: &'static str,
    arguments: Vec<String>,
}

impl Call {
    fn new(program: &'static str, arguments: &[&str]) -> Self {
        Self {
            program,
            arguments: arguments.iter().map(|&argument| argument.into()).collect(),
        }
    }

    fn line(&self) -> String {
        format!("{} {}", self.program, self.arguments.join(" "))
    }

    fn run(&self) -> Result<(), String> {
        let line = self.line();
        let output = Command::new(self.program)
            .args(&self.arguments)
            .output()
            .map_err(|error| format!("`{line}` can't be run: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!(
            "`{line}` failed ({}): {}",
            output.status,
            said.trim()
        ))
    }
}

/// What the service manager is asked, if one is there to ask.
struct Manager {
    user: bool,
    /// Whether it is this machine's, and not an image's.
    here: bool,
    after_installing: Vec<Call>,
    before_uninstalling: Vec<Call>,
    after_uninstalling: Vec<Call>,
}

impl Manager {
    fn of(scope: &Scope) -> Self {
        let (user, here) = match scope {
            Scope::System { root } => (false, root == Path::new("/")),
            Scope::User { .. } => (true, true),
        };
        let booted = here && runs(user);
        let mut manager = Self {
            user,
            here,
            after_installing: Vec::new(),
            before_uninstalling: Vec::new(),
            after_uninstalling: Vec::new(),
        };
        if here && !user {
            // An image does both when it boots.
            manager.after_installing = vec![
                Call::new("systemd-sysusers", &["/etc/sysusers.d/deliveryd.conf"]),
                Call::new(
                    "systemd-tmpfiles",
                    &["--create", "/etc/tmpfiles.d/deliveryd.conf"],
                ),
            ];
        }
        if booted {
            let call = |arguments: &[&str]| {
                let user: &[&str] = if user { &["--user"] } else { &[] };
                Call::new("systemctl", &[user, arguments].concat())
            };
            manager.after_installing.push(call(&["daemon-reload"]));
            manager.before_uninstalling = vec![call(&["disable", "--now", "deliveryd.service"])];
            manager.after_uninstalling = vec![call(&["daemon-reload"])];
        }
        manager
    }

    /// Whether it may be changed by whoever runs this.
    fn may(&self) -> Result<(), String> {
        if !self.here || self.user || rustix::process::geteuid().is_root() {
            return Ok(());
        }
        let text = "the machine's services belong to root: run this with sudo, \
                    or say --user for a service of your own";
        Err(text.to_owned())
    }

    /// The command line for a user to type.
    fn systemctl(&self, what: &str) -> String {
        match self.user {
            true => format!("systemctl --user {what}"),
            false => format!("systemctl {what}"),
        }
    }

    /// What to do after installing.
    fn next(&self, scope: &Scope, steps: &[Step]) -> String {
        let again = steps.iter().any(|step| step.deed == Deed::Replace);
        if let Scope::System { root } = scope
            && !self.here
        {
            return format!(
                "now: systemctl --root {} enable deliveryd\n\
                 the user and the modes are made when it boots",
                root.display()
            );
        }
        if again {
            return format!("now: {}", self.systemctl("restart deliveryd"));
        }
        let config = scope.config_file();
        let start = self.systemctl("enable --now deliveryd");
        format!("now: edit {}, then {start}", config.display())
    }
}

/// Whether systemd runs here, or the user's instance of it.
fn runs(user: bool) -> bool {
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|_| user) {
        Some(directory) => Path::new(&directory).join("systemd").exists(),
        None if user => false,
        // sd_booted(3)
        None => Path::new("/run/systemd/system").exists(),
    }
}
