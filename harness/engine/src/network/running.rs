//! A network that runs: its sockets, and what its owner can do with it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use camino::{Utf8Path, Utf8PathBuf};
use tokio::{net::UnixStream, sync::Notify, task::JoinSet, time::Instant};

use crate::{
    util::{
        error::{Error, Result, Timeout},
        poll::{self, Seen},
    },
    vm::qemu::sockets::listen,
};

use super::{
    clock::Clock,
    connection,
    impairment::{Direction, Impairment},
    plane::Plane,
    recorder::Recorder,
    recording::{Capture, Recording},
    saved::Saved,
    statistics::PortStatistics,
};

/// What a network is made from.
#[derive(Debug, Clone)]
pub struct NetworkSpec {
    /// The folder of the sockets, which exists; a short path, since that of a socket has 100 bytes at most.
    pub folder: Utf8PathBuf,
    /// Its name, of a few letters; the names of the sockets begin with it.
    pub name: String,
    /// What all decisions on frames follow from, together with the names of network and machines. What was saved has
    /// its own, which counts.
    pub seed: u64,
    /// The machines, each with one port.
    pub machines: Vec<String>,
    /// Where its frames are recorded.
    pub recording: Option<Recording>,
    /// What another network of the same machines left behind. The network is frozen until [`Network::thaw`].
    pub saved: Option<Saved>,
}

/// Machines joined by a switch. It forwards from the moment on that they connect, and ends with this value.
#[derive(Debug)]
pub struct Network {
    inner: Arc<Inner>,
    sockets: Vec<Utf8PathBuf>,
    tasks: JoinSet<()>,
    recording: Option<JoinHandle<()>>,
}

#[derive(Debug)]
pub(super) struct Inner {
    name: String,
    seed: u64,
    machines: Vec<String>,
    state: Mutex<State>,
    /// One for each port: there are frames for its machine.
    pub(super) ready: Vec<Notify>,
    /// Another frame may be the next that is due.
    due: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) plane: Plane,
    clock: Clock,
    recorder: Option<Recorder>,
    pub(super) streams: Vec<Option<Arc<UnixStream>>>,
}

impl Network {
    /// Listens on a socket for each machine. Needs the runtime of tokio, and returns before anybody connects.
    ///
    /// # Errors
    /// When a socket or the recording can't be made, when a path is too long, and when what was saved belongs to
    /// another network.
    pub fn open(spec: NetworkSpec) -> Result<Self> {
        let NetworkSpec {
            folder,
            name,
            seed,
            machines,
            recording,
            saved,
        } = spec;
        let seed = saved.as_ref().map_or(seed, |saved| saved.seed);
        let mut plane = Plane::new(seed, &name, &machines);
        let mut clock = Clock::start(Instant::now());
        if let Some(saved) = saved {
            plane.restore(saved)?;
            clock.stop(Instant::now());
        }
        let (mut recorder, mut writer) = (None, None);
        if let Some(recording) = recording {
            let capture = Capture::create(&recording, &name, &machines)?;
            plane.record();
            let (started, thread) = Recorder::start(capture)?;
            (recorder, writer) = (Some(started), Some(thread));
        }
        let inner = Arc::new(Inner {
            ready: machines.iter().map(|_| Notify::new()).collect(),
            due: Notify::new(),
            state: Mutex::new(State {
                plane,
                clock,
                recorder,
                streams: machines.iter().map(|_| None).collect(),
            }),
            name,
            seed,
            machines,
        });
        let mut network = Self {
            inner: inner.clone(),
            sockets: vec![],
            tasks: JoinSet::new(),
            recording: writer,
        };
        for port in 0..inner.machines.len() {
            let path = folder.join(format!("{}-{port}", inner.name));
            let listener = listen(&path)?;
            network.sockets.push(path);
            network
                .tasks
                .spawn(connection::accept(inner.clone(), port, listener));
        }
        network.tasks.spawn(deliver_in_time(inner));
        Ok(network)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.name
    }

    /// The seed that decides on frames.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.inner.seed
    }

    /// The names of its machines.
    #[must_use]
    pub fn machines(&self) -> &[String] {
        &self.inner.machines
    }

    /// The socket that `machine` connects to.
    ///
    /// # Errors
    /// When it is not in this network.
    pub fn socket(&self, machine: &str) -> Result<&Utf8Path> {
        let port = self.inner.lock().plane.port(machine)?;
        Ok(&self.sockets[port])
    }

    /// Waits until each machine is connected.
    ///
    /// # Errors
    /// [`Timeout`] after `limit`, with those that are not.
    pub async fn wait_connected(&self, limit: Duration) -> Result<()> {
        let what = format!("the machines of the network {} to connect", self.name());
        poll::until(&what, limit, Duration::from_millis(20), || async {
            let statistics = self.statistics();
            let missing: Vec<&str> = statistics
                .iter()
                .filter(|(_, port)| !port.connected)
                .map(|(name, _)| name.as_str())
                .collect();
            Ok(match missing.is_empty() {
                true => Seen::Ready(()),
                false => Seen::NotYet(format!("not connected: {}", missing.join(", "))),
            })
        })
        .await
    }

    /// Does `with` to the frames that `machine` sends, receives, or both, from the next one on.
    ///
    /// # Errors
    /// When it is not in this network, or no link does such a thing.
    pub fn impair(&self, machine: &str, direction: Direction, with: Impairment) -> Result<()> {
        with.validate()?;
        let mut state = self.inner.lock();
        let port = state.plane.port(machine)?;
        state.plane.impair(port, direction, &with);
        Ok(())
    }

    /// Lets nothing pass that `machine` sends, receives, or both. Frames that are on their way are lost, too; the
    /// machine's card keeps its carrier.
    ///
    /// # Errors
    /// When it is not in this network.
    pub fn cut(&self, machine: &str, direction: Direction) -> Result<()> {
        let mut state = self.inner.lock();
        let port = state.plane.port(machine)?;
        state.plane.cut(port, direction);
        Ok(())
    }

    /// Joins what was cut, and takes back all impairments of `machine`.
    ///
    /// # Errors
    /// When it is not in this network.
    pub fn heal(&self, machine: &str) -> Result<()> {
        let mut state = self.inner.lock();
        let port = state.plane.port(machine)?;
        state.plane.heal(port);
        Ok(())
    }

    /// [`Self::heal`] for each machine.
    pub fn heal_all(&self) {
        let mut state = self.inner.lock();
        for port in 0..self.inner.machines.len() {
            state.plane.heal(port);
        }
    }

    /// Forwards nothing from now on, and lets no time pass for what is on its way. Machines are still read, and
    /// what they send is held.
    pub fn freeze(&self) {
        let mut state = self.inner.lock();
        state.plane.frozen = true;
        state.clock.stop(Instant::now());
    }

    /// Goes on after [`Self::freeze`], or with what was saved.
    pub fn thaw(&self) {
        self.inner.work(|state, _| {
            state.clock.go(Instant::now());
            state.plane.frozen = false;
        });
    }

    /// Freezes the network, reads what stopped machines have sent last, and returns all that is in flight. What a
    /// machine's QEMU has not read from its socket is lost, as on a cable.
    ///
    /// # Errors
    /// [`Timeout`] when a machine goes on sending for `limit`.
    pub async fn save(&self, limit: Duration) -> Result<Saved> {
        self.freeze();
        let what = format!("the last frames of the network {}", self.name());
        poll::until(&what, limit, Duration::from_millis(20), || async {
            let mut state = self.inner.lock();
            let unread = state.unread()?;
            if let Some(port) = unread {
                let name = &self.inner.machines[port];
                return Ok(Seen::NotYet(format!("{name} is still sending")));
            }
            let now = state.clock.now(Instant::now());
            Ok(Seen::Ready(state.plane.save(now, self.inner.seed)))
        })
        .await
    }

    /// What each machine's port saw, by the machine's name.
    #[must_use]
    pub fn statistics(&self) -> BTreeMap<String, PortStatistics> {
        self.inner.lock().plane.statistics()
    }

    /// What its owner should know, each once: broken streams, machines that do not read, one address at two ports,
    /// a recording that failed.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let state = self.inner.lock();
        let mut notes = state.plane.notes().to_vec();
        let failure = state.recorder.as_ref().and_then(Recorder::failure);
        notes.extend(failure.map(|failure| format!("the recording ended early: {failure}")));
        notes
    }

    /// Ends the network and completes its recording.
    ///
    /// # Errors
    /// When the recording could not be written, or is not complete after 30 s.
    pub async fn close(mut self) -> Result<()> {
        const LIMIT: Duration = Duration::from_secs(30);
        self.tasks.shutdown().await;
        let recorder = self.inner.lock().recorder.take();
        let (Some(recorder), Some(thread)) = (recorder, self.recording.take()) else {
            return Ok(());
        };
        let what = format!("the recording of the network {}", self.name());
        let failed = |why: String| Error::Machine(format!("{what}: {why}"));
        let failure = recorder.end();
        let joined = tokio::task::spawn_blocking(|| thread.join());
        match tokio::time::timeout(LIMIT, joined).await {
            Ok(Ok(Ok(()))) => {}
            Ok(_) => return Err(failed("its thread panicked".into())),
            Err(_) => {
                return Err(Timeout {
                    what,
                    waited: LIMIT,
                    last: "the disk is still being written".into(),
                }
                .into());
            }
        }
        match failure.get() {
            Some(why) => Err(failed(why)),
            None => Ok(()),
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for socket in &self.sockets {
            let _ = std::fs::remove_file(socket);
        }
    }
}

impl Inner {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The machine at `port`.
    pub(super) fn machine(&self, port: usize) -> &str {
        &self.machines[port]
    }

    /// Does `step` at this moment, and whatever follows from it: frames that are due, records, and the tasks that have
    /// something to write.
    pub(super) fn work<T>(&self, step: impl FnOnce(&mut State, Duration) -> T) -> T {
        let mut state = self.lock();
        let before = state.plane.next_due();
        let now = state.clock.now(Instant::now());
        state.plane.advance(now);
        let result = step(&mut state, now);
        // The step may have been the end of being frozen.
        let now = state.clock.now(Instant::now());
        state.plane.advance(now);
        let records = state.plane.take_records();
        if let Some(recorder) = &mut state.recorder {
            let time = SystemTime::now().duration_since(UNIX_EPOCH);
            recorder.record(time.unwrap_or_default(), records);
        }
        for port in state.plane.ready() {
            self.ready[port].notify_one();
        }
        let sooner = match (before, state.plane.next_due()) {
            (Some(before), Some(after)) => after < before,
            (None, after) => after.is_some(),
            (Some(_), None) => false,
        };
        if sooner {
            self.due.notify_one();
        }
        result
    }
}

impl State {
    /// A port whose machine has sent what was not read yet.
    fn unread(&self) -> Result<Option<usize>> {
        for (port, stream) in self.streams.iter().enumerate() {
            if let Some(stream) = stream {
                if rustix::io::ioctl_fionread(stream).map_err(std::io::Error::from)? > 0 {
                    return Ok(Some(port));
                }
            }
        }
        Ok(None)
    }
}

/// Lets delayed frames arrive when they are due.
async fn deliver_in_time(inner: Arc<Inner>) {
    loop {
        let due = {
            let state = inner.lock();
            state.plane.next_due().map(|due| state.clock.instant(due))
        };
        let changed = inner.due.notified();
        match due {
            None => changed.await,
            Some(due) => {
                let _ = tokio::time::timeout_at(due, changed).await;
            }
        }
        inner.work(|_, _| ());
    }
}
