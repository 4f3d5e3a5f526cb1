//! A machine with a real systemd, booted in a container, and deliveryd on it as its users run it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::support::process::Process;
use crate::support::run_dir::{repository, target};
use crate::support::{Answer, Status, skip, wait_for};

/// For a boot, and for jobs of the service manager.
pub const SOON: Duration = Duration::from_secs(90);

/// Where the built program is, for those that install it as a user would.
pub const BUILT: &str = "/opt/built/deliveryd";

/// Whether machines can be booted here; else tells why `test` is skipped.
pub fn can_boot(test: &str) -> bool {
    static OBSTACLE: OnceLock<Option<String>> = OnceLock::new();
    if std::env::var_os("DELIVERYD_TESTS_WITHOUT_CONTAINERS").is_some() {
        // `.ci/run` has found that nobody can boot one here, and has said so.
        return false;
    }
    match OBSTACLE.get_or_init(obstacle) {
        None => true,
        Some(reason) => {
            skip::skipped(test, reason);
            false
        }
    }
}

fn obstacle() -> Option<String> {
    // SAFETY: plain system call.
    if unsafe { libc::geteuid() } != 0 {
        return Some("containers need root".to_owned());
    }
    let version = Command::new("systemd-nspawn").arg("--version").output();
    if !version.is_ok_and(|output| output.status.success()) {
        let text = "`systemd-nspawn` is not there; on Debian: apt-get install systemd-container";
        return Some(text.to_owned());
    }
    if !tree().join("etc/os-release").exists() {
        return Some("the tree is not there; tests/systemd/make-tree makes it".to_owned());
    }
    let mut machine = Machine::start(&Place::Built, Network::Own);
    let refused = machine.wait_for_boot().err()?;
    Some(format!("containers can't be booted here: {refused}"))
}

fn tree() -> PathBuf {
    target().join("systemd-tree")
}

/// Where the program is on the machine.
pub enum Place {
    /// Not installed: at [`BUILT`].
    Built,
    /// In `/usr/bin`, as a package puts it.
    Installed,
}

/// What the machine can reach.
pub enum Network {
    /// Itself alone.
    Own,
    /// What this one can.
    Shared,
}

/// A running machine, gone when dropped.
pub struct Machine {
    nspawn: Process,
    /// The host's number of its first process.
    init: u32,
}

impl Machine {
    /// Boots one.
    #[track_caller]
    pub fn boot(place: Place, network: Network) -> Machine {
        let mut machine = Self::start(&place, network);
        if let Err(error) = machine.wait_for_boot() {
            panic!("the machine did not boot: {error}");
        }
        machine
    }

    /// One with the service installed, with this configuration and handler, and not started.
    #[track_caller]
    pub fn with_service(network: Network, config: &str, handler: &str) -> Machine {
        let machine = Self::boot(Place::Installed, network);
        machine.run("deliveryd service install");
        machine.write("/etc/deliveryd/deliveryd.toml", config);
        machine.write("/etc/deliveryd/handlers/handle.rhai", handler);
        machine
    }

    fn start(place: &Place, network: Network) -> Machine {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("deliveryd-{}-{number}", std::process::id());
        let inside = match place {
            Place::Built => BUILT,
            Place::Installed => "/usr/bin/deliveryd",
        };
        let program = env!("CARGO_BIN_EXE_deliveryd");
        let mut command = Command::new(repository().join("tests/systemd/boot"));
        command
            .arg(tree())
            .arg(name)
            .arg(format!("--bind-ro={program}:{inside}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        if let Network::Own = network {
            command.arg("--private-network");
        }
        Machine {
            nspawn: Process::spawn("systemd-nspawn", command),
            init: 0,
        }
    }

    fn wait_for_boot(&mut self) -> Result<(), String> {
        let nspawn = &mut self.nspawn;
        let booted = wait_for("the boot", SOON, || {
            if nspawn.ended().is_some() {
                return Ok(None);
            }
            // unshare → nspawn → its first process.
            let init = only_child(nspawn.id()).and_then(only_child);
            let init = init.ok_or("no process yet")?;
            let state = inside(init, "systemctl is-system-running")
                .output()
                .map_err(|error| error.to_string())?;
            match String::from_utf8_lossy(&state.stdout).trim() {
                // Degraded: something that a container does without.
                "running" | "degraded" => Ok(Some(init)),
                other => Err(format!("{other:?} {}", words(&state.stderr))),
            }
        });
        match booted {
            Some(init) => {
                self.init = init;
                Ok(())
            }
            None => {
                let mut said = String::new();
                if let Some(mut stderr) = nspawn.child().stderr.take() {
                    std::io::Read::read_to_string(&mut stderr, &mut said)
                        .map_err(|error| error.to_string())?;
                }
                Err(said.trim().to_owned())
            }
        }
    }

    /// Runs a line of shell on the machine as root.
    pub fn try_run(&self, line: &str) -> Answer {
        let output = inside(self.init, line).output();
        let output = output.unwrap_or_else(|error| panic!("can't run nsenter: {error}"));
        Answer {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// The same for what has to go well; returns what it printed.
    #[track_caller]
    pub fn run(&self, line: &str) -> String {
        let answer = self.try_run(line);
        let journal = || text(&self.journal());
        assert_eq!(answer.code, Some(0), "{line}\n{answer:#?}\n{}", journal());
        answer.out
    }

    /// A path of the machine as this one sees it.
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.init))
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    pub fn exists(&self, path: &str) -> bool {
        self.path(path).symlink_metadata().is_ok()
    }

    pub fn write(&self, path: &str, content: &str) {
        let place = self.path(path);
        let written = fs::create_dir_all(place.parent().unwrap_or(Path::new("/")))
            .and_then(|()| fs::write(&place, content));
        written.unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// Copies a file of this machine there.
    pub fn copy_in(&self, file: &Path, to: &str) {
        let copied = fs::copy(file, self.path(to));
        copied.unwrap_or_else(|error| panic!("{} to {to}: {error}", file.display()));
    }

    #[track_caller]
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let content = self.read(path);
        assert!(content.contains(from), "no {from:?} in {path}:\n{content}");
        self.write(path, &content.replace(from, to));
    }

    /// Settings of the service besides its unit's, as `systemctl edit` makes them.
    pub fn edit_service(&self, settings: &str) {
        let drop_in = "/etc/systemd/system/deliveryd.service.d/test.conf";
        self.write(drop_in, &format!("[Service]\n{settings}\n"));
        self.run("systemctl daemon-reload");
    }

    /// A property of the service, such as `ActiveState`.
    pub fn property(&self, name: &str) -> String {
        let value = self.run(&format!("systemctl show -P {name} deliveryd"));
        value.trim().to_owned()
    }

    /// Waits until a property is so.
    #[track_caller]
    pub fn wait_until(&self, name: &str, wanted: impl Fn(&str) -> bool) -> String {
        wait_for(name, SOON, || match self.property(name) {
            value if wanted(&value) => Ok(value),
            value => Err(format!("{value:?}\n{}", text(&self.journal()))),
        })
    }

    /// What `deliveryd status --json` says.
    pub fn status(&self) -> Result<Status, String> {
        let answer = self.try_run("deliveryd status --json");
        let value = serde_json::from_str(&answer.out);
        value
            .map(Status)
            .map_err(|error| format!("{error} in {answer:?}"))
    }

    /// Waits for a condition of the status.
    #[track_caller]
    pub fn wait_for_status(&self, what: &str, condition: impl Fn(&Status) -> bool) -> Status {
        wait_for(what, SOON, || {
            let seen = match self.status() {
                Ok(status) if condition(&status) => return Ok(status),
                Ok(status) => status.to_string(),
                Err(error) => error,
            };
            Err(format!("{seen}\n{}", text(&self.journal())))
        })
    }

    /// Waits until a line of the service's journal has this in it.
    #[track_caller]
    pub fn wait_for_line(&self, needle: &str) -> String {
        wait_for(&format!("a line with {needle:?}"), SOON, || {
            let journal = text(&self.journal());
            let line = journal.lines().find(|line| line.contains(needle));
            line.map(str::to_owned).ok_or(journal)
        })
    }

    /// The messages in the service's journal.
    fn journal(&self) -> Vec<u8> {
        let line = "journalctl --unit deliveryd --no-pager --output cat";
        let output = inside(self.init, line).output();
        output.map(|output| output.stdout).unwrap_or_default()
    }

    /// This machine's number of the service's main process.
    #[track_caller]
    pub fn daemon(&self) -> u32 {
        let inner = self.property("MainPID");
        let own = fs::read_link(format!("/proc/{}/ns/pid", self.init));
        let own = own.unwrap_or_else(|error| panic!("the machine is gone: {error}"));
        let all = fs::read_dir("/proc").unwrap_or_else(|error| panic!("/proc: {error}"));
        let found = all.flatten().find_map(|entry| {
            let number = entry.file_name().to_str()?.parse::<u32>().ok()?;
            let namespace = fs::read_link(entry.path().join("ns/pid")).ok()?;
            let status = fs::read_to_string(entry.path().join("status")).ok()?;
            let numbers = status.lines().find(|line| line.starts_with("NSpid:"))?;
            let inside = numbers.split_whitespace().last()?;
            (namespace == own && inside == inner).then_some(number)
        });
        found.unwrap_or_else(|| panic!("no process is number {inner} in the machine"))
    }
}

/// Whether a process of the host is gone.
pub fn has_ended(process: u32) -> Result<(), String> {
    let folder = format!("/proc/{process}");
    match Path::new(&folder).exists() {
        false => Ok(()),
        true => Err(format!("{folder} is there")),
    }
}

/// A line of shell, to be run where this process is.
fn inside(init: u32, line: &str) -> Command {
    let mut command = Command::new("nsenter");
    command
        .args(["--target", &init.to_string(), "--all"])
        .args(["/bin/sh", "-c", line])
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin")
        .stdin(Stdio::null());
    command
}

fn only_child(of: u32) -> Option<u32> {
    let children = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).ok()?;
    children.split_whitespace().next()?.parse().ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn words(bytes: &[u8]) -> String {
    text(bytes).trim().to_owned()
}
