//! VMs for tests: what QEMU and the guest agent answer comes from a table, and what they were asked is written down.
//! Everything above the two connections is the code that talks to a real VM; the process is a shell that sleeps.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::{Engine, engine::general_purpose::STANDARD};
use camino::Utf8Path;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, split},
    net::UnixStream,
};

use super::{agent::Agent, args::Uplink, machine::Machine, monitor::Monitor};
use crate::util::error::{Error, Result};

/// What becomes of a command in the VM.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// It prints this and ends with this status.
    Ends(i32, String),
    /// It succeeds in a VM in which a command with this text ran before, and fails in all others.
    After(&'static str),
    /// It never ends by itself.
    Hangs,
    /// The VM's agent is gone.
    Gone,
}

/// What all VMs of a test answer, and what they were asked.
#[derive(Debug, Default)]
pub(crate) struct Script {
    replies: Mutex<Vec<(&'static str, Reply)>>,
    refused: Mutex<Vec<&'static str>>,
    asked: Mutex<Vec<String>>,
    /// The cards of its VMs, as far as they are in a network.
    cards: Mutex<Vec<UnixStream>>,
}

/// What one VM knows.
#[derive(Debug, Default)]
struct Vm {
    /// The commands that ran in it.
    ran: Vec<String>,
    /// What was written into its memory before it was saved.
    mark: String,
}

enum Said {
    Return(Value),
    Refuse(String),
    Silence,
    End,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Script {
    /// A command with the text `part` is answered by `reply`; of several texts that fit, the last one that was
    /// given counts. A command that nothing is said of succeeds and prints nothing.
    pub(crate) fn reply(&self, part: &'static str, reply: Reply) {
        lock(&self.replies).push((part, reply));
    }

    /// QEMU refuses the monitor's command `command` from now on; `start` stands for being started at all.
    pub(crate) fn refuse(&self, command: &'static str) {
        lock(&self.refused).push(command);
    }

    /// How many commands with the text `part` were asked for, in all VMs. Those of the monitor have `qmp:` in
    /// front: `qmp:quit`.
    pub(crate) fn count(&self, part: &str) -> usize {
        let asked = lock(&self.asked);
        asked.iter().filter(|asked| asked.contains(part)).count()
    }

    /// Starts a VM that answers as this script says, and whose card in the network of `uplink`, if there is one,
    /// says nothing.
    ///
    /// # Errors
    /// When the script refuses that.
    pub(crate) async fn machine(
        self: &Arc<Self>,
        uplink: Option<&Uplink>,
        evidence: &Utf8Path,
    ) -> Result<Machine> {
        if self.refuses("start") {
            return Err(Error::Qemu("it could not be started".into()));
        }
        if let Some(uplink) = uplink {
            let card = UnixStream::connect(&uplink.socket).await?;
            lock(&self.cards).push(card);
        }
        let vm = Arc::new(Mutex::new(Vm::default()));
        let (monitor, theirs) = tokio::io::duplex(1 << 20);
        tokio::spawn(serve(theirs, Some(json!({ "QMP": {} })), {
            let (script, vm) = (Arc::clone(self), Arc::clone(&vm));
            move |command, arguments| script.monitor(&mut lock(&vm), command, arguments)
        }));
        let (agent, theirs) = tokio::io::duplex(1 << 20);
        tokio::spawn(serve(theirs, None, {
            let script = Arc::clone(self);
            move |command, arguments| script.agent(&mut lock(&vm), command, arguments)
        }));
        let (reader, writer) = split(monitor);
        let monitor = Monitor::over(reader, writer).await?;
        let (reader, writer) = split(agent);
        lock(&self.asked).push("qmp:start".into());
        Machine::played(monitor, Agent::over(reader, writer), evidence)
    }

    fn refuses(&self, command: &str) -> bool {
        lock(&self.refused).contains(&command)
    }

    fn monitor(&self, vm: &mut Vm, command: &str, arguments: &Value) -> Said {
        lock(&self.asked).push(format!("qmp:{command}"));
        if self.refuses(command) {
            return Said::Refuse(format!("this QEMU does no {command}"));
        }
        let uri = arguments["uri"].as_str().unwrap_or_default();
        let file = uri.trim_start_matches("file:");
        let done = match command {
            "migrate" => fs_err::write(file, &vm.mark).map(|()| json!({})),
            "migrate-incoming" => fs_err::read_to_string(file).map(|mark| {
                vm.mark = mark;
                json!({})
            }),
            "query-migrate" => Ok(json!({ "status": "completed" })),
            "query-jobs" => Ok(json!([{ "id": "kept", "status": "concluded" }])),
            _ => Ok(json!({})),
        };
        match done {
            Ok(value) => Said::Return(value),
            Err(error) => Said::Refuse(error.to_string()),
        }
    }

    fn agent(&self, vm: &mut Vm, command: &str, arguments: &Value) -> Said {
        match command {
            "guest-sync-delimited" => Said::Return(arguments["id"].clone()),
            "spawnlab-resumed" => Said::Return(vm.mark.clone().into()),
            "spawnlab-kill" => Said::Return(true.into()),
            "spawnlab-run" => {
                let script = arguments["arg"][1].as_str().unwrap_or_default();
                // The only input that anything remembers: the mark of a host that is to be saved.
                if let Some(input) = arguments["input-data"].as_str() {
                    let bytes = STANDARD.decode(input).unwrap_or_default();
                    vm.mark = String::from_utf8_lossy(&bytes).into_owned();
                }
                let answer = self.run(vm, script);
                vm.ran.push(script.to_owned());
                lock(&self.asked).push(script.to_owned());
                answer
            }
            other => Said::Refuse(format!("{other} is not in the script")),
        }
    }

    fn run(&self, vm: &Vm, script: &str) -> Said {
        let replies = lock(&self.replies);
        let found = replies
            .iter()
            .rev()
            .find(|(part, _)| script.contains(part))
            .map(|(_, reply)| reply);
        let (status, text) = match found {
            None => (0, ""),
            Some(Reply::Ends(status, text)) => (*status, text.as_str()),
            Some(Reply::After(part)) => {
                let ran = vm.ran.iter().any(|script| script.contains(part));
                (i32::from(!ran), "")
            }
            Some(Reply::Hangs) => return Said::Silence,
            Some(Reply::Gone) => return Said::End,
        };
        Said::Return(json!({
            "exited": true, "exitcode": status, "out-data": STANDARD.encode(text), "err-data": "",
        }))
    }
}

/// Answers each request on `stream` with what `answer` says to it.
async fn serve(
    stream: DuplexStream,
    greeting: Option<Value>,
    answer: impl Fn(&str, &Value) -> Said,
) {
    let (reader, mut writer) = split(stream);
    let mut reader = BufReader::new(reader);
    let mut line = greeting.map_or(vec![], |greeting| format!("{greeting}\n").into_bytes());
    loop {
        if writer.write_all(&line).await.is_err() {
            return;
        }
        line.clear();
        if !matches!(reader.read_until(b'\n', &mut line).await, Ok(1..)) {
            return;
        }
        let fresh = line.iter().rposition(|byte| *byte == 0xff);
        let request: Value =
            serde_json::from_slice(&line[fresh.map_or(0, |at| at + 1)..]).expect("JSON");
        let (command, id) = (
            request["execute"].as_str().unwrap_or_default(),
            &request["id"],
        );
        let said = match answer(command, &request["arguments"]) {
            Said::Return(value) => json!({ "return": value, "id": id }),
            Said::Refuse(why) => {
                json!({ "error": { "class": "GenericError", "desc": why }, "id": id })
            }
            Said::Silence => {
                line.clear();
                continue;
            }
            Said::End => return,
        };
        line = format!("{said}\n").into_bytes();
    }
}
