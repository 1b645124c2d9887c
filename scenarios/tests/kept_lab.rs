//! A lab of two machines that is kept in the middle of a conversation: after `resume` the TCP connection between them goes
//! on where it stood, with what was in flight.
//!
//! `SPAWNLAB_KEPT_REPEAT=N` keeps and resumes N labs, one after the other. Variables of the lab are those of the test `vm`.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use camino::{Utf8Path, Utf8PathBuf};
use clap::Parser;
use scenarios::suite::suite;
use spawnlab::{
    layer::kept,
    network::{Direction, Impairment},
    prelude::*,
    report::{drive::drive, terminal::Terminal},
    run::{
        open_lab::OpenLab,
        selection,
        session::{self, Session},
    },
    scenario::{Base, Body, DiskLog, MachineBase, Scenario},
    util::scratch::Scratch,
    verdict::{Verdict, event::Events},
};
use spawnlab_cli::{args::LabArgs, lab::rerun::Rerun};

#[derive(Debug, Parser)]
struct Environment {
    #[command(flatten)]
    lab: LabArgs,
    #[arg(long, env = "SPAWNLAB_KEPT_REPEAT", default_value = "1")]
    repeat: NonZeroU32,
}

const MACHINES: &[MachineBase] = &[
    MachineBase {
        name: "laptop",
        base: Base::Host,
    },
    MachineBase {
        name: "host",
        base: Base::Host,
    },
];

/// A server on the host that says again what it hears.
const ECHO: &str = "
mkdir -p /run/systemd/system
cat >/run/systemd/system/echo.socket <<END
[Socket]
ListenStream=7777
Accept=yes
END
cat >/run/systemd/system/echo@.service <<END
[Service]
StandardInput=socket
ExecStart=cat
END
systemctl daemon-reload
systemctl start echo.socket";

/// A client on the laptop that counts what it was answered, in one connection, and ends when that breaks.
const TALK: &str = r#"
mkdir -p /run/talk
cat >/run/talk/client <<'END'
set -e
exec 3<>/dev/tcp/host/7777
said=0
while :; do
    said=$((said + 1))
    echo "$said" >&3
    read -r answer <&3
    test "$answer" = "$said"
    echo "$answer" >/run/talk/new
    mv /run/talk/new /run/talk/answered
done
END
systemd-run --quiet --unit=talk bash /run/talk/client"#;

/// How many answers there were, and the connection's ends.
const ANSWERED: &str = "cat /run/talk/answered";
const CONNECTION: &str = "ss -Htn state established dport = :7777 | awk '{ print $3, $4 }'";

const LIMIT: Duration = Duration::from_secs(30);

/// Two machines talk over a slow network, and then the scenario fails: something is in flight when they are kept.
fn talks() -> &'static Scenario {
    let body = Body::leaked(|lab| {
        Box::pin(async {
            let (laptop, host) = (lab.machine("laptop"), lab.machine("host"));
            let slow = Impairment {
                delay: Duration::from_millis(50),
                ..Impairment::default()
            };
            lab.network().impair("laptop", Direction::Both, slow)?;
            host.succeed(ECHO).await?;
            laptop.succeed(TALK).await?;
            laptop
                .wait_until_succeeds("test $(cat /run/talk/answered) -ge 5", LIMIT)
                .await?;
            let connection = laptop.succeed(CONNECTION).await?;
            laptop
                .succeed(&format!(
                    "echo '{}' >/run/talk/connection",
                    connection.trim()
                ))
                .await?;
            expect("the scenario").equal("to pass", "fails, to be kept")
        })
    });
    Box::leak(Box::new(Scenario {
        area: "kept",
        name: "talks",
        claim: "what is kept in the middle of a conversation goes on with it",
        machines: MACHINES,
        needs: &[],
        wants: &[],
        brings: &[],
        disk: DiskLog::Unlogged,
        expects: &[],
        limit: Duration::from_secs(60),
        per_iteration: Duration::ZERO,
        soak: false,
        saboteurs: &[],
        body,
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_alive_in_a_lab_that_was_kept() {
    let environment = Environment::try_parse_from(["kept_lab"]).expect("variables that hold");
    let lab = &environment.lab;
    let mut config = lab
        .config(&suite(), Rerun::new(&["spawnlab", "run"], lab))
        .expect("a configuration");
    config.policy.keep = true;
    let (events, receiver) = Events::channel();
    let mut terminal = Terminal::plain(Box::new(std::io::stderr()));
    let driver = drive(receiver, move |event| terminal.tell(event), None).expect("reporters");
    let scratch = Scratch::new().expect("a folder");
    let session = Session::open(config, &[Base::Host], scratch.path(), &events);
    let session = Box::pin(session).await.expect("a host");
    let scenario = talks();
    for round in 1..=environment.repeat.get() {
        let evidence = scratch.path().join(format!("round-{round}"));
        kept(&session, scenario, &evidence).await;
        let cache = session::cache().expect("a cache");
        let answers = goes_on(cache.root(), &evidence, scratch.path()).await;
        eprintln!("round {round}: alive, {answers}");
        if round == 1 {
            is_refused_if_it_can_not_be(cache.root(), &evidence, scratch.path()).await;
        }
        let all = kept::list(cache.root()).expect("readable");
        let mut own = all.iter().filter(|kept| kept.evidence == evidence);
        let own = own.next().expect("it is listed");
        assert_eq!(own.machines, ["laptop", "host"]);
        fs_err::remove_dir_all(&own.dir).expect("removed");
    }
    drop((events, session));
    driver.finish().1.expect("reporters");
}

/// Runs `scenario`, which fails, so that its lab is kept.
async fn kept(session: &Arc<Session>, scenario: &'static Scenario, evidence: &Utf8Path) {
    fs_err::create_dir_all(evidence).expect("a folder");
    let task = session.task(selection::to_run(&[scenario])[0]);
    match (task.body)(evidence.to_owned()).await {
        Verdict::Failed(failure) => {
            let said = failure.lines.join("\n");
            assert!(said.contains("the lab is kept with all"), "{failure:#?}");
            assert_eq!(failure.assertion, "the scenario", "{failure:#?}");
        }
        other => panic!("{other:#?}"),
    }
}

/// Resumes the lab twice, one after the other; each time the conversation goes on. Returns what was seen.
async fn goes_on(cache: &Utf8Path, evidence: &Utf8Path, scratch: &Utf8Path) -> String {
    let mut seen = vec![];
    for _ in 0..2 {
        let lab = resumed(cache, evidence, scratch).await.expect("it is kept");
        let laptop = lab.machine(None).expect("the first machine");
        assert_eq!(laptop.name(), "laptop");
        let begin: u32 = number(&laptop.succeed(ANSWERED).await.expect("an answer"));
        let more = format!("test $({ANSWERED}) -ge {}", begin + 5);
        laptop
            .wait_until_succeeds(&more, LIMIT)
            .await
            .expect("more answers in the same connection");
        let same = format!("test \"$({CONNECTION})\" = \"$(cat /run/talk/connection)\"");
        laptop.succeed(&same).await.expect("the same connection");
        laptop
            .succeed("systemctl is-active talk")
            .await
            .expect("the client goes on");
        let host = lab.machine(Some("host")).expect("the second machine");
        let name = host.succeed("hostname").await.expect("its name");
        assert_eq!(name.trim(), "host");
        let other = lab.machine(Some("server")).expect_err("none of that name");
        assert!(
            other.to_string().ends_with("there are laptop, host"),
            "{other}"
        );
        let second = resumed(cache, evidence, scratch)
            .await
            .expect_err("one at a time");
        let who = format!("resumed already, by the process {}", std::process::id());
        assert!(second.to_string().contains(&who), "{second}");
        let end = number(&laptop.succeed(ANSWERED).await.expect("an answer"));
        seen.push(format!("{begin} answers and {end} later"));
        lab.end().await.expect("it ends well");
    }
    seen.join(", ")
}

/// Part of it is missing.
async fn is_refused_if_it_can_not_be(cache: &Utf8Path, evidence: &Utf8Path, scratch: &Utf8Path) {
    let all = kept::list(cache).expect("readable");
    let own = all.iter().find(|kept| kept.evidence == evidence);
    let state = own.expect("it is listed").dir.join("host/state");
    fs_err::remove_file(&state).expect("removed");
    let error = resumed(cache, evidence, scratch)
        .await
        .expect_err("a part is missing");
    let said = error.to_string();
    assert!(
        said.contains(&format!("its machine host: {state} is gone")),
        "{said}"
    );
    assert!(
        said.ends_with("run its scenario again with --keep"),
        "{said}"
    );
}

async fn resumed(
    cache: &Utf8Path,
    evidence: &Utf8Path,
    scratch: &Utf8Path,
) -> spawnlab::Result<OpenLab> {
    let logs = tempfile::tempdir_in(scratch).expect("a folder").keep();
    let logs = Utf8PathBuf::from_path_buf(logs).expect("UTF-8");
    OpenLab::resumed(cache, evidence, &logs).await
}

fn number(text: &str) -> u32 {
    text.trim().parse().expect("a number")
}
