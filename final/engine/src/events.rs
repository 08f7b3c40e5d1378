//! What happened, for everybody who listens: a broadcast with a short memory.
//!
//! Docker keeps the last 256 events, so that `events --since` can look back a little; so do we. A listener that does not
//! keep up loses the oldest events it has not read, never the engine its pace.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bollard_stubs::models::{EventActor, EventMessage, EventMessageScopeEnum, EventMessageTypeEnum};
use futures_util::{Stream, StreamExt, stream};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

/// How many events are remembered (docker: `eventsLimit`).
const REMEMBERED: usize = 256;

/// The bus.
#[derive(Debug)]
pub struct Events {
    past: Mutex<VecDeque<EventMessage>>,
    now: broadcast::Sender<EventMessage>,
}

impl Default for Events {
    fn default() -> Self {
        Self { past: Mutex::default(), now: broadcast::channel(1024).0 }
    }
}

/// The attributes of an event's actor: what filters and templates of clients look at.
pub type Attributes = HashMap<String, String>;

impl Events {
    /// Tells that `action` (`start`, `die`) happened to the thing of type `kind` with the full id (or name) `id`.
    pub fn emit(&self, kind: EventMessageTypeEnum, action: &str, id: &str, attributes: Attributes) {
        let now = Timestamp::now();
        let message = EventMessage {
            typ: Some(kind),
            action: Some(action.to_owned()),
            actor: Some(EventActor { id: Some(id.to_owned()), attributes: Some(attributes) }),
            scope: Some(EventMessageScopeEnum::LOCAL),
            time: Some(now.as_second()),
            time_nano: i64::try_from(now.as_nanosecond()).ok(),
        };
        let mut past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
        if past.len() == REMEMBERED {
            past.pop_front();
        }
        past.push_back(message.clone());
        // No receiver is no error. Sent under the lock, so that a subscriber misses nothing and sees nothing twice.
        let _ = self.now.send(message);
    }

    /// Remembered events from `since` on, then the coming ones; with neither `since` nor `until` only the coming ones. With
    /// an `until` the stream ends then; with one in the past it ends at once, after the remembered ones.
    pub fn subscribe(
        &self,
        since: Option<Timestamp>,
        until: Option<Timestamp>,
    ) -> impl Stream<Item = EventMessage> + Send + use<> {
        let (past, now) = {
            let past = self.past.lock().unwrap_or_else(PoisonError::into_inner);
            let wanted = |event: &&EventMessage| match since {
                Some(since) => moment(event) >= since,
                None => until.is_some(),
            };
            let chosen: Vec<_> = past.iter().filter(wanted).cloned().collect();
            (chosen, self.now.subscribe())
        };
        let wait = until.map(|until| until.duration_since(Timestamp::now()).try_into().unwrap_or_default());
        let end = async move {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        let coming = BroadcastStream::new(now).filter_map(|event| async { event.ok() }).take_until(end);
        stream::iter(past.into_iter().filter(move |event| until.is_none_or(|until| moment(event) <= until)))
            .chain(coming)
    }
}

/// An event with the three fields of old that clients up to 1.51 still read.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Event {
    /// The action again, for containers and images.
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// The actor's id again.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    /// A container's image.
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    /// What it is today.
    #[serde(flatten)]
    message: EventMessage,
}

impl From<EventMessage> for Event {
    fn from(message: EventMessage) -> Self {
        let actor = message.actor.as_ref();
        let container = message.typ == Some(EventMessageTypeEnum::CONTAINER);
        let old = container || message.typ == Some(EventMessageTypeEnum::IMAGE);
        let image = actor.and_then(|actor| actor.attributes.as_ref()?.get("image").cloned());
        Self {
            status: message.action.clone().filter(|_| old),
            id: actor.and_then(|actor| actor.id.clone()).filter(|_| old),
            from: image.filter(|_| container),
            message,
        }
    }
}

/// When an event happened.
fn moment(event: &EventMessage) -> Timestamp {
    let nanos = i128::from(event.time_nano.unwrap_or_default());
    Timestamp::from_nanosecond(nanos).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn actions(events: Vec<EventMessage>) -> Vec<String> {
        events.into_iter().filter_map(|event| event.action).collect()
    }

    #[tokio::test]
    async fn the_past_comes_first_and_until_ends_the_stream() {
        let events = Events::default();
        let since = Timestamp::now();
        events.emit(EventMessageTypeEnum::CONTAINER, "create", "1", Attributes::new());
        let soon = Timestamp::now() + std::time::Duration::from_millis(50);
        let stream = events.subscribe(Some(since), Some(soon));
        events.emit(EventMessageTypeEnum::CONTAINER, "start", "1", Attributes::new());
        assert_eq!(actions(stream.collect().await), ["create", "start"]);
    }

    /// `docker events --until NOW` shows what has been.
    #[tokio::test]
    async fn an_end_without_a_beginning_shows_all_that_is_remembered() {
        let events = Events::default();
        events.emit(EventMessageTypeEnum::CONTAINER, "create", "1", Attributes::new());
        let past = events.subscribe(None, Some(Timestamp::now()));
        assert_eq!(actions(past.collect().await), ["create"]);
    }

    #[tokio::test]
    async fn only_so_much_is_remembered() {
        let events = Events::default();
        for index in 0..300 {
            events.emit(EventMessageTypeEnum::IMAGE, &index.to_string(), "1", Attributes::new());
        }
        let past = events.subscribe(Some(Timestamp::UNIX_EPOCH), Some(Timestamp::now()));
        let past = actions(past.collect().await);
        assert_eq!((past.len(), past.first().map(String::as_str)), (256, Some("44")));
    }
}
