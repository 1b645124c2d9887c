//! Trouble that no assertion asks for. What is demonstrated here holds in every scenario: its host's
//! console and all journals are looked through when it is over.

use spawnlab::prelude::*;

use crate::nonce::nonce;

/// A host that is left alone has no trouble, nor has a guest; and no trouble goes unnoticed.
#[scenario(on = Deployed)]
#[saboteur("unit-fails", fails = "no failed units", spares = "names::name_is_the_leased_address" =>
    "systemd-run --quiet --unit=sabotage --wait false || true")]
#[saboteur("unit-of-a-guest-fails", fails = "no failed units", spares = "names::name_is_the_leased_address" =>
    "systemd-run -M web --quiet --unit=sabotage --wait /bin/sh -c 'exit 1' || true")]
#[saboteur("program-crashes", fails = "no core dumps", spares = "names::name_is_the_leased_address" =>
    "printf '%s\\n' 'MESSAGE=Process 7 (sabotage) of user 0 dumped core.' COREDUMP_COMM=sabotage \
         MESSAGE_ID=fc2e22bc6ee647b6b90729ab34a250b1 | logger --journald")]
#[saboteur("memory-runs-out", fails = "no OOM kills", spares = "names::name_is_the_leased_address" =>
    "systemd-run --quiet --wait -p MemoryMax=8M -p MemorySwapMax=0 tail /dev/zero || true")]
#[saboteur("jobs-in-a-circle", fails = "no ordering cycles", spares = "names::name_is_the_leased_address" =>
    "cd /run/systemd/system
     for pair in 'one two' 'two one'; do
         set -- $pair
         printf '[Unit]\\nAfter=%s.service\\n[Service]\\nExecStart=/bin/sh -c true\\n' $2 > $1.service
     done
     printf '[Unit]\\nWants=one.service two.service\\n' > circle.target
     systemctl daemon-reload; systemctl start circle.target")]
#[saboteur("kernel-complains", fails = "no kernel oopses", spares = "names::name_is_the_leased_address" =>
    "echo '[   20.000000] BUG: Bad page state in process sabotage' > /dev/ttyS0")]
#[saboteur("console-shows-a-panic", fails = "no kernel panics", spares = "names::name_is_the_leased_address" =>
    "echo '[   20.000000] Kernel panic - not syncing: sabotage' > /dev/ttyS0")]
#[saboteur("emergency-shell-opens", fails = "no emergency shells", spares = "names::name_is_the_leased_address" =>
    "echo 'You are in emergency mode. After logging in, type \"journalctl -xb\" to view' > /dev/ttyS0")]
async fn trouble_is_noticed(lab: &Lab) -> Outcome {
    let host = lab.host();
    // What was logged before a line that has arrived has arrived itself.
    let last = nonce();
    let wait = format!(
        "echo '<5>{last}' > /dev/kmsg; echo {last} | systemd-cat
         /lab/tools/in-guest web 'echo {last} | systemd-cat'
         for try in $(seq 100); do
             here=$(journalctl --no-pager -o cat | grep -c '^{last}$')
             there=$(journalctl -M web --no-pager -o cat | grep -c '^{last}$')
             [ $here -lt 2 ] || [ $there -lt 1 ] || exit 0
             sleep 0.1
         done; exit 1"
    );
    let arrived = host.execute(&wait).await?;
    expect("the lines logged last").succeeded(arrived).map(drop)
}
