use tokio::io::{DuplexStream, ReadHalf, WriteHalf};

use super::*;

const LIMIT: Duration = Duration::from_secs(5);

/// The other side of a channel: what a monitor or an agent would see and say.
struct Peer {
    lines: tokio::io::Lines<BufReader<ReadHalf<DuplexStream>>>,
    writer: WriteHalf<DuplexStream>,
}

impl Peer {
    async fn next(&mut self) -> Value {
        let line = self.lines.next_line().await.expect("readable");
        serde_json::from_str(line.expect("a line").trim_start_matches('\u{fffd}')).expect("JSON")
    }

    async fn say(&mut self, bytes: &[u8]) {
        self.writer.write_all(bytes).await.expect("writable");
    }

    async fn answer(&mut self, request: &Value, value: Value) {
        let line = json!({ "return": value, "id": request["id"] });
        self.say(format!("{line}\n").as_bytes()).await;
    }
}

fn pair() -> (Channel, Peer, mpsc::UnboundedReceiver<Value>) {
    let (ours, theirs) = tokio::io::duplex(1 << 16);
    let (reader, writer) = tokio::io::split(ours);
    let (sender, events) = mpsc::unbounded_channel();
    let channel = Channel::serve(reader, writer, 7000, Some(sender));
    let (reader, writer) = tokio::io::split(theirs);
    let lines = BufReader::new(reader).lines();
    (channel, Peer { lines, writer }, events)
}

#[tokio::test]
async fn an_answer_reaches_its_request() {
    let (channel, mut peer, _events) = pair();
    let asked = tokio::spawn({
        let channel = channel.clone();
        async move { channel.request("query-status", Value::Null, LIMIT).await }
    });
    let request = peer.next().await;
    assert_eq!(request["execute"], "query-status");
    assert!(request.get("arguments").is_none());
    peer.answer(&request, json!({ "running": true })).await;
    assert_eq!(asked.await.unwrap().unwrap(), json!({ "running": true }));
}

#[tokio::test]
async fn answers_may_come_in_another_order() {
    let (channel, mut peer, _events) = pair();
    let ask = |name: &'static str| {
        let channel = channel.clone();
        tokio::spawn(async move { channel.request(name, Value::Null, LIMIT).await.unwrap() })
    };
    let (first, second) = (ask("first"), ask("second"));
    let (a, b) = (peer.next().await, peer.next().await);
    for request in [b, a] {
        let name = request["execute"].clone();
        peer.answer(&request, name).await;
    }
    assert_eq!(first.await.unwrap(), "first");
    assert_eq!(second.await.unwrap(), "second");
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_is_not_taken_for_the_next_requests() {
    let (channel, mut peer, _events) = pair();
    let late = channel.request("slow", Value::Null, LIMIT).await;
    assert!(
        matches!(late, Err(ChannelError::Unanswered { .. })),
        "{late:?}"
    );
    assert_eq!(channel.unanswered(), 1, "its id must still be known");
    let slow = peer.next().await;
    let next = tokio::spawn({
        let channel = channel.clone();
        async move { channel.request("quick", Value::Null, LIMIT).await }
    });
    let quick = peer.next().await;
    peer.answer(&slow, json!("late")).await;
    peer.answer(&quick, json!("right")).await;
    assert_eq!(next.await.unwrap().unwrap(), "right");
    assert_eq!(channel.unanswered(), 0);
}

#[tokio::test]
async fn a_dropped_request_does_no_harm() {
    let (channel, mut peer, _events) = pair();
    let dropped = tokio::spawn({
        let channel = channel.clone();
        async move { channel.request("dropped", Value::Null, LIMIT).await }
    });
    let first = peer.next().await;
    dropped.abort();
    assert!(dropped.await.is_err());
    let next = tokio::spawn({
        let channel = channel.clone();
        async move { channel.request("next", Value::Null, LIMIT).await }
    });
    let second = peer.next().await;
    peer.answer(&first, json!(1)).await;
    peer.answer(&second, json!(2)).await;
    assert_eq!(next.await.unwrap().unwrap(), 2);
}

#[tokio::test]
async fn a_refusal_carries_class_and_words() {
    let (channel, mut peer, _events) = pair();
    let asked = tokio::spawn({
        let channel = channel.clone();
        async move { channel.request("nonsense", Value::Null, LIMIT).await }
    });
    let request = peer.next().await;
    let id = &request["id"];
    peer.say(
        format!(r#"{{"error":{{"class":"CommandNotFound","desc":"no such"}},"id":{id}}}"#)
            .as_bytes(),
    )
    .await;
    peer.say(b"\n").await;
    let error = asked.await.unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "nonsense was refused: no such (CommandNotFound)"
    );
}

#[tokio::test]
async fn closing_wakes_everybody_and_refuses_later_requests() {
    let (channel, mut peer, _events) = pair();
    let asked = tokio::spawn({
        let channel = channel.clone();
        async move { channel.request("last-words", Value::Null, LIMIT).await }
    });
    peer.next().await;
    drop(peer);
    let closed = |error: &ChannelError| matches!(error, ChannelError::Closed { .. });
    assert!(closed(&asked.await.unwrap().unwrap_err()));
    let later = channel.request("later", Value::Null, LIMIT).await;
    assert!(closed(&later.unwrap_err()));
}

#[tokio::test]
async fn rubbish_before_the_marker_and_stale_answers_are_dropped() {
    let (channel, mut peer, mut events) = pair();
    let asked = tokio::spawn({
        let channel = channel.clone();
        async move { channel.request("guest-ping", Value::Null, LIMIT).await }
    });
    let request = peer.next().await;
    peer.say(b"half a li\xff{\"return\": \"stale\", \"id\": 12}\nnot json\n")
        .await;
    peer.answer(&request, json!({})).await;
    assert_eq!(asked.await.unwrap().unwrap(), json!({}));
    let stale = events.recv().await.expect("the stale answer is no answer");
    assert_eq!(stale["id"], 12);
}
