use super::*;
use crate::vm::journal;

const HOSTS: &str = "1941b56eaa3240edbdf3684bc88825be";
const GUESTS: &str = "d243f2d6b0f240e1be9c9d11d6bf5e45";

/// Records as the lab's script prints them.
fn journal(records: &[&str]) -> Vec<JournalEntry> {
    let mut output = format!("{HOSTS} host\n{GUESTS} web\n");
    for record in records {
        let (machine, rest) = record.split_once(' ').expect("a machine in front");
        let id = if machine == "host" { HOSTS } else { GUESTS };
        output += &format!(
            "{{\"__REALTIME_TIMESTAMP\":\"1773050401250000\",\"_MACHINE_ID\":\"{id}\",{rest}}}\n"
        );
    }
    let entries = journal::parse(&output);
    assert_eq!(entries.len(), records.len(), "{output}");
    entries
}

fn said(console: &str, records: &[&str]) -> Vec<String> {
    scan(console, &journal(records))
        .iter()
        .map(ToString::to_string)
        .collect()
}

const KERNEL: &str =
    r#"host "_TRANSPORT":"kernel","SYSLOG_IDENTIFIER":"kernel","PRIORITY":"3","MESSAGE":"#;
const SYSTEMD: &str = r#""SYSLOG_IDENTIFIER":"systemd","_PID":"1","#;

#[rstest::rstest]
#[case(
    "[   20.123456] Kernel panic - not syncing: Attempted to kill init!",
    FindingKind::KernelPanic,
    "Kernel panic - not syncing: Attempted to kill init!"
)]
#[case(
    "[    3.0] Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] PREEMPT SMP",
    FindingKind::KernelOops,
    "Oops: general protection fault, probably for non-canonical address 0xdead: 0000 [#1] PREEMPT SMP"
)]
#[case(
    "[    3.0] BUG: unable to handle page fault for address: ffff8881",
    FindingKind::KernelOops,
    "BUG: unable to handle page fault for address: ffff8881"
)]
#[case(
    "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [nix:512]",
    FindingKind::KernelOops,
    "watchdog: BUG: soft lockup - CPU#0 stuck for 22s! [nix:512]"
)]
#[case(
    "[ 9.1] Out of memory: Killed process 812 (tail) total-vm:71680kB, anon-rss:7936kB",
    FindingKind::OomKill,
    "tail"
)]
#[case(
    "[ 9.1] Memory cgroup out of memory: Killed process 812 (tail) total-vm:71680kB",
    FindingKind::OomKill,
    "tail"
)]
#[case(
    "[ 9.1] nginx[99]: segfault at 0 ip 00007f sp 00007ffc error 4 in libc.so.6",
    FindingKind::CoreDump,
    "nginx"
)]
#[case(
    "[ 9.1] traps: nginx[99] general protection fault ip:7f0 sp:7ffc error:0",
    FindingKind::CoreDump,
    "nginx"
)]
#[case(
    "You are in emergency mode. After logging in, type \"journalctl -xb\" to view",
    FindingKind::EmergencyShell,
    "You are in emergency mode. After logging in, type \"journalctl -xb\" to view"
)]
#[case(
    "[ 2.2] systemd[1]: Freezing execution.",
    FindingKind::CoreDump,
    "systemd"
)]
#[case(
    "[ 2.2] systemd[1]: multi-user.target: Job b.service/start deleted to break ordering cycle starting with multi-user.target/start",
    FindingKind::OrderingCycle,
    "b.service"
)]
fn a_line_of_the_console_is_found(
    #[case] line: &str,
    #[case] kind: FindingKind,
    #[case] subject: &str,
) {
    let console = format!("[    1.0] Linux version 6.12\n{line}\n[    2.0] virtio_blk\n");
    let found = scan(&console, &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (
            found[0].kind,
            found[0].machine.as_str(),
            found[0].subject.as_str()
        ),
        (kind, HOST, subject)
    );
}

#[test]
fn the_same_on_console_and_in_the_journal_is_one_finding() {
    let line = "BUG: unable to handle page fault for address: ffff8881";
    let found = said(
        &format!("[    3.100000] {line}\n"),
        &[&format!("{KERNEL}\"{line}\"")],
    );
    assert_eq!(found, [format!("kernel oops on host: {line}")]);
}

#[test]
fn units_that_fail_are_found_on_host_and_guest_once_each() {
    let failed = |machine: &str| {
        format!(
            r#"{machine} {SYSTEMD}"UNIT":"a.service","MESSAGE_ID":"d9b373ed55a64feb8242e02dbe79a49c","UNIT_RESULT":"exit-code","MESSAGE":"a.service: Failed with result 'exit-code'.""#
        )
    };
    let job = format!(
        r#"host {SYSTEMD}"UNIT":"a.service","MESSAGE_ID":"be02cf6855d2428ba40df7e9d022f03d","JOB_RESULT":"failed","MESSAGE":"Failed to start a.service.""#
    );
    insta::assert_snapshot!(said("", &[&failed("host"), &job, &failed("host"), &failed("web")]).join("\n"), @r"
    failed unit on host: a.service: Failed with result 'exit-code'.
    failed unit on web: a.service: Failed with result 'exit-code'.
    ");
}

#[test]
fn a_core_dump_is_found_where_systemd_coredump_is_and_where_it_is_not() {
    let caught = r#"web "SYSLOG_IDENTIFIER":"systemd-coredump","COREDUMP_COMM":"nginx","MESSAGE_ID":"fc2e22bc6ee647b6b90729ab34a250b1","MESSAGE":"Process 99 (nginx) of user 0 dumped core.\n\nStack trace of thread 99:""#;
    let exit = |code: &str, status: &str| {
        format!(
            r#"host {SYSTEMD}"UNIT":"b.service","MESSAGE_ID":"98e322203f7a4ed290d09fe03c09fe15","EXIT_CODE":"{code}","EXIT_STATUS":"{status}","MESSAGE":"b.service: Main process exited""#
        )
    };
    insta::assert_snapshot!(said("", &[caught, &exit("killed", "11")]).join("\n"), @r"
    core dump on web: Process 99 (nginx) of user 0 dumped core.
    core dump on host: b.service: Main process exited
    ");
    for (code, status) in [("exited", "1"), ("killed", "15"), ("killed", "9")] {
        assert_eq!(said("", &[&exit(code, status)]), [""; 0]);
    }
    assert_eq!(said("", &[&exit("dumped", "3")]).len(), 1);
}

#[test]
fn memory_cycles_and_emergencies_are_found_in_journals() {
    let memory = format!(
        r#"web {SYSTEMD}"UNIT":"c.service","MESSAGE_ID":"fe6faa94e7774663a0da52717891d8ef","MESSAGE":"c.service: A process of this unit has been killed by the OOM killer.""#
    );
    let cycle = format!(
        r#"web {SYSTEMD}"UNIT":"a.service","MESSAGE":"a.service: Job b.service/start deleted to break ordering cycle starting with a.service/start""#
    );
    let shell = format!(
        r#"host {SYSTEMD}"UNIT":"emergency.service","MESSAGE_ID":"39f53479d3a045ac8e11786248231fbf","MESSAGE":"Started emergency.service - Emergency Shell.""#
    );
    let guests = r#"host "SYSLOG_IDENTIFIER":"systemd-nspawn","MESSAGE":"You are in emergency mode. After logging in""#;
    insta::assert_snapshot!(said("", &[&memory, &cycle, &shell, guests]).join("\n"), @r"
    emergency shell on host: Started emergency.service - Emergency Shell.
    emergency shell on host: You are in emergency mode. After logging in
    OOM kill on web: c.service: A process of this unit has been killed by the OOM killer.
    ordering cycle on web: a.service: Job b.service/start deleted to break ordering cycle starting with a.service/start
    ");
}

#[test]
fn what_is_only_talked_about_is_no_finding() {
    let service = |message: &str| {
        format!(r#"host "SYSLOG_IDENTIFIER":"nginx","UNIT":"","MESSAGE":"{message}""#)
    };
    for message in [
        "Kernel panic - not syncing",
        "BUG: retrying",
        "You are in emergency mode",
        "x: Job b.service/start deleted to break ordering cycle",
        "a.service: Failed with result 'exit-code'.",
    ] {
        assert_eq!(said("", &[&service(message)]), [""; 0], "{message}");
    }
    let dependency = format!(
        r#"host {SYSTEMD}"UNIT":"a.service","MESSAGE_ID":"be02cf6855d2428ba40df7e9d022f03d","JOB_RESULT":"dependency","MESSAGE":"Dependency failed for a.service.""#
    );
    assert_eq!(
        said("[ 1.0] Linux version 6.12\n\n", &[&dependency]),
        [""; 0]
    );
}

#[rstest::rstest]
#[case("run-u7.service", true)]
#[case("run-p812-i7.service", true)]
#[case("run-r0123456789abcdef0123456789abcdef.scope", true)]
#[case("run-backup.service", false)]
#[case("run-u.service", false)]
#[case("run-u7.mount", false)]
#[case("nginx.service", false)]
fn a_command_is_no_unit_that_fails(#[case] unit: &str, #[case] command: bool) {
    assert_eq!(is_command(unit), command);
    let failed = format!(
        r#"web {SYSTEMD}"UNIT":"{unit}","MESSAGE_ID":"d9b373ed55a64feb8242e02dbe79a49c","MESSAGE":"{unit}: Failed""#
    );
    assert_eq!(said("", &[&failed]).is_empty(), command);
}

/// The records of `unit` of `machine` that is being stopped or started, as the host's PID 1 logs it.
fn about(machine: &str, unit: &str, id: &str) -> String {
    format!(r#"{machine} {SYSTEMD}"UNIT":"{unit}","MESSAGE_ID":"{id}","MESSAGE":"{unit}""#)
}

/// A failure of `a.service` in the words of a manager that runs as the unit `manager` of `machine`.
fn ended(machine: &str, manager: &str, result: &str) -> String {
    let field = if manager == "init.scope" {
        "UNIT"
    } else {
        "USER_UNIT"
    };
    format!(
        r#"{machine} {SYSTEMD}"_SYSTEMD_UNIT":"{manager}","{field}":"a.service","UNIT_RESULT":"{result}","MESSAGE_ID":"{}","MESSAGE":"a.service: Failed with result '{result}'.""#,
        id::UNIT_FAILED
    )
}

#[rstest::rstest]
// A manager of root's that ends with an ssh session, and a guest's with its container.
#[case("host", "user@0.service", "user@0.service", "signal", 0)]
#[case("web", "init.scope", "systemd-nspawn@web.service", "signal", 0)]
// Another's that ends.
#[case("host", "user@1000.service", "user@0.service", "signal", 1)]
#[case("web", "init.scope", "systemd-nspawn@api.service", "signal", 1)]
#[case("host", "init.scope", "user@0.service", "signal", 1)]
// A fault of its own.
#[case("host", "user@0.service", "user@0.service", "timeout", 1)]
#[case("web", "init.scope", "systemd-nspawn@web.service", "exit-code", 1)]
fn what_a_manager_terminates_as_it_ends_has_not_failed(
    #[case] machine: &str,
    #[case] manager: &str,
    #[case] stopping: &str,
    #[case] result: &str,
    #[case] findings: usize,
) {
    let stopping = about("host", stopping, id::UNIT_STOPPING);
    let failure = ended(machine, manager, result);
    assert_eq!(said("", &[&stopping, &failure]).len(), findings);
}

#[test]
fn what_is_terminated_before_its_manager_ends_or_after_the_next_one_starts_has_failed() {
    let unit = "user@0.service";
    let stopping = about("host", unit, id::UNIT_STOPPING);
    let starting = about("host", unit, id::UNIT_STARTING);
    let failure = ended("host", unit, "signal");
    assert_eq!(said("", &[&failure, &stopping]).len(), 1);
    assert_eq!(said("", &[&stopping, &starting, &failure]).len(), 1);
}
