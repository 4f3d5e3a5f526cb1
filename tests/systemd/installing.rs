//! Installing the service and taking it away again: by the command, as the README says, for one user, and
//! by the Debian package.

use crate::machine::{BUILT, Machine, Network, Place};
use crate::{CONFIG, UNIT, package, page};

/// `service install` makes everything that the service needs; started, it runs as its own user, in its
/// cage. A second run changes nothing, and an edited configuration is kept. `service uninstall` takes the
/// service away and leaves the configuration.
#[test]
fn what_is_installed_runs_and_goes_again() {
    needs_systemd!();
    let machine = Machine::boot(Place::Built, Network::Own);
    let dry = machine.run(&format!("{BUILT} service install --dry-run"));
    assert!(dry.contains("ExecStart=/usr/local/bin/deliveryd"), "{dry}");
    assert!(!machine.exists(UNIT) && !machine.exists("/etc/deliveryd"));
    let wrote = machine.run(&format!("{BUILT} service install"));
    for path in [UNIT, CONFIG, "/usr/local/bin/deliveryd"] {
        assert!(wrote.contains(&format!("wrote     {path}\n")), "{wrote}");
    }
    let owners = machine.run(&format!("stat --format='%U:%G:%a' {CONFIG} /etc/deliveryd"));
    assert_eq!(owners, "root:deliveryd:640\nroot:deliveryd:750\n");
    let complaints = machine.try_run(&format!("systemd-analyze verify {UNIT} 2>&1"));
    assert_eq!(complaints.out, "");
    let exposure = machine.try_run("systemd-analyze security --threshold=20 deliveryd");
    assert_eq!(exposure.code, Some(0), "more than 2.0:\n{}", exposure.out);

    machine.run("systemctl enable --now deliveryd");
    assert_eq!(machine.property("ActiveState"), "active");
    machine.wait_for_status("the members", |status| {
        status.shares("group-1") == [1, 1] && status.shares("group-2") == [2]
    });
    let user = machine.run("stat --format=%U /proc/$(systemctl show -P MainPID deliveryd)");
    assert_eq!(user.trim(), "deliveryd");
    machine.wait_until("StatusText", |text| text.contains("2 groups, 3 members"));
    let own = "/run/deliveryd /var/lib/deliveryd /var/log/deliveryd";
    let owners = machine.run(&format!("stat --format='%U:%G:%a' {own}"));
    assert_eq!(owners, "deliveryd:deliveryd:750\n".repeat(3));
    let socket = machine.run("stat --format='%U:%G:%a' /run/deliveryd/control.sock");
    assert_eq!(socket, "deliveryd:deliveryd:660\n");

    machine.edit(CONFIG, "members = 2", "members = 1");
    let again = machine.run("deliveryd service install");
    assert!(
        !again.contains("wrote") && !again.contains("replaced"),
        "{again}"
    );
    assert!(again.contains(&format!("kept      {CONFIG}")), "{again}");
    assert!(machine.read(CONFIG).contains("members = 1"));

    let removed = machine.run("deliveryd service uninstall");
    assert!(removed.contains("left      /etc/deliveryd\n"), "{removed}");
    assert!(
        removed.contains("left      the user deliveryd\n"),
        "{removed}"
    );
    assert!(!machine.exists(UNIT));
    assert!(!machine.exists("/etc/systemd/system/multi-user.target.wants/deliveryd.service"));
    assert_eq!(machine.property("LoadState"), "not-found");
    assert!(machine.read(CONFIG).contains("members = 1"));
    let nothing = machine.run("deliveryd service uninstall");
    assert!(nothing.contains("no service is installed\n"), "{nothing}");
}

/// The commands of the README's section, in their order.
#[test]
fn the_readme_installs_and_removes_a_service() {
    needs_systemd!();
    let machine = Machine::boot(Place::Built, Network::Own);
    for block in page::Page::read().blocks("sh", "service") {
        for line in block.text.lines() {
            let line = line.strip_prefix("sudo ").unwrap_or(line);
            machine.run(&line.replace("target/release/deliveryd", BUILT));
        }
    }
    assert!(!machine.exists(UNIT));
}

/// A user's own service needs no root: installed, started, reloaded and removed in their own directories.
#[test]
fn a_user_has_a_service_of_their_own() {
    needs_systemd!();
    let machine = Machine::boot(Place::Built, Network::Own);
    machine.run("useradd --create-home --uid 1000 me && systemctl start user@1000.service");
    let me = |line: &str| {
        machine.run(&format!(
            "su me --command 'cd; export XDG_RUNTIME_DIR=/run/user/1000; {line}'"
        ))
    };
    me(&format!("{BUILT} service install --user"));
    me("systemctl --user enable --now deliveryd");
    assert_eq!(me("systemctl --user is-active deliveryd").trim(), "active");
    let config = "/home/me/.config/deliveryd/deliveryd.toml";
    machine.edit(config, "members = 2", "members = 3");
    me("systemctl --user reload deliveryd");
    let status: serde_json::Value = serde_json::from_str(&me(&format!("{BUILT} status --json")))
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        status["groups"]["group-1"]["members"]
            .as_array()
            .map(Vec::len),
        Some(3)
    );
    let removed = me(&format!("{BUILT} service uninstall --user"));
    assert!(
        removed.contains("left      /home/me/.config/deliveryd\n"),
        "{removed}"
    );
    assert!(!machine.exists("/home/me/.config/systemd/user/deliveryd.service"));
}

/// The Debian package brings the same service: it is stopped when the package is removed, its edited
/// configuration survives that, and a purge takes everything.
#[test]
fn the_package_brings_the_same_service() {
    needs_systemd!();
    let Some(package) = package::build(module_path!()) else {
        return;
    };
    let machine = Machine::boot(Place::Built, Network::Own);
    machine.copy_in(&package, "/tmp/deliveryd.deb");
    machine.run("dpkg --install /tmp/deliveryd.deb");
    let unit = "/usr/lib/systemd/system/deliveryd.service";
    assert_eq!(
        machine.read(unit),
        include_str!("../../systemd/deliveryd.service")
    );
    let owners = machine.run(&format!("stat --format='%U:%G:%a' {CONFIG} /etc/deliveryd"));
    assert_eq!(owners, "root:deliveryd:640\nroot:deliveryd:750\n");
    assert_eq!(machine.property("ActiveState"), "inactive");
    let nothing = machine.run("deliveryd service install");
    assert!(nothing.starts_with("nothing to do: "), "{nothing}");
    assert!(!machine.exists(UNIT));

    machine.run("systemctl enable --now deliveryd");
    machine.edit(CONFIG, "members = 2", "members = 1");
    machine.run("systemctl reload deliveryd");
    machine.wait_for_status("one member each", |status| {
        status.members("group-1").len() == 1 && status.members("group-2").len() == 1
    });
    let process = machine.property("MainPID");
    machine.run("dpkg --install /tmp/deliveryd.deb");
    assert_ne!(
        machine.property("MainPID"),
        process,
        "an update starts it anew"
    );
    assert_eq!(machine.property("ActiveState"), "active");
    assert!(machine.read(CONFIG).contains("members = 1"));

    machine.run("dpkg --remove deliveryd");
    assert!(!machine.exists(unit) && !machine.exists("/usr/bin/deliveryd"));
    assert!(machine.read(CONFIG).contains("members = 1"));
    machine.run("dpkg --purge deliveryd");
    for gone in ["/etc/deliveryd", "/var/lib/deliveryd", "/var/log/deliveryd"] {
        assert!(!machine.exists(gone), "{gone}");
    }
}
