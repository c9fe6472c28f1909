//! What a linked device has not acknowledged yet, in order. The queue keeps a stanza until the device
//! acknowledges it, whatever happens to the connection; it must never drop or reorder by itself.

use std::collections::VecDeque;

use wacore_binary::Node;

use crate::stanza::attr;

/// How many stanzas the service sends of a backlog before the client asks for a batch.
const PRIMER: usize = 5;

/// One undelivered stanza.
struct Entry {
    stanza: Node,
    /// Sent on the present connection.
    sent: bool,
    /// On how many connections it was sent before.
    attempts: u32,
}

/// Where a connection stands with the backlog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Not active yet: nothing is sent.
    Held,
    /// The backlog is being delivered.
    Draining {
        /// Backlog entries not sent yet.
        left: usize,
        /// Size of the backlog.
        total: usize,
        /// How many more may be sent before the client acknowledges or asks.
        credit: usize,
    },
    /// Everything is sent as it comes.
    Live,
}

/// How much of each kind waits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Preview {
    /// Messages.
    pub messages: usize,
    /// Receipts.
    pub receipts: usize,
    /// Notifications.
    pub notifications: usize,
    /// Calls.
    pub calls: usize,
}

impl Preview {
    /// All kinds together.
    pub fn total(self) -> usize {
        self.messages + self.receipts + self.notifications + self.calls
    }
}

/// What is to be sent now.
#[derive(Debug, Default)]
pub struct Due {
    /// Stanzas, in order.
    pub stanzas: Vec<Node>,
    /// The backlog ended with these: its size.
    pub backlog_ended: Option<usize>,
}

/// The queue of one linked device.
pub struct Queue {
    entries: VecDeque<Entry>,
    phase: Phase,
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            phase: Phase::Held,
        }
    }
}

impl Queue {
    /// Whether a stanza of this kind waits until it is acknowledged.
    pub fn keeps(stanza: &Node) -> bool {
        matches!(
            &*stanza.tag,
            "message" | "receipt" | "notification" | "call"
        )
    }

    /// How many stanzas are not acknowledged.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether everything was acknowledged.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Adds a stanza at the end.
    pub fn push(&mut self, stanza: Node) {
        self.entries.push_back(Entry {
            stanza,
            sent: false,
            attempts: 0,
        });
    }

    /// A connection ended or a new one began: everything is to be sent again.
    pub fn hold(&mut self) {
        self.phase = Phase::Held;
        for entry in &mut self.entries {
            entry.attempts += u32::from(entry.sent);
            entry.sent = false;
        }
    }

    /// The device became active: what waits is now its backlog.
    pub fn activate(&mut self) -> Option<Preview> {
        if self.phase != Phase::Held {
            return None;
        }
        let mut preview = Preview::default();
        for entry in &self.entries {
            match &*entry.stanza.tag {
                "message" => preview.messages += 1,
                "receipt" => preview.receipts += 1,
                "call" => preview.calls += 1,
                _ => preview.notifications += 1,
            }
        }
        let total = self.entries.len();
        self.phase = Phase::Draining {
            left: total,
            total,
            credit: PRIMER,
        };
        Some(preview)
    }

    /// The client asked for more of its backlog.
    pub fn grant(&mut self, count: usize) {
        if let Phase::Draining { credit, .. } = &mut self.phase {
            *credit += count;
        }
    }

    /// What may be sent now, marked as sent.
    pub fn due(&mut self) -> Due {
        let mut due = Due::default();
        if self.phase == Phase::Held {
            return due;
        }
        for entry in self.entries.iter_mut().filter(|entry| !entry.sent) {
            let mut stanza = entry.stanza.clone();
            if let Phase::Draining { left, credit, .. } = &mut self.phase {
                if *left == 0 || *credit == 0 {
                    break;
                }
                *left -= 1;
                *credit -= 1;
                stanza.attrs.insert("offline", entry.attempts);
            }
            entry.sent = true;
            due.stanzas.push(stanza);
        }
        if let Phase::Draining { left: 0, total, .. } = self.phase {
            self.phase = Phase::Live;
            due.backlog_ended = Some(total);
        }
        due
    }

    /// The device acknowledged a stanza of this class and id. A message is also acknowledged by a
    /// receipt for it. Returns whether one was waiting.
    pub fn acknowledge(&mut self, class: &str, id: &str) -> bool {
        let found = self.entries.iter().position(|entry| {
            entry.sent
                && entry.stanza.tag == class
                && attr(&entry.stanza, "id").as_deref() == Some(id)
        });
        let Some(found) = found else { return false };
        self.entries.remove(found);
        self.grant(1);
        true
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use wacore_binary::builder::NodeBuilder;

    fn queue(count: usize) -> Queue {
        let mut queue = Queue::default();
        for n in 0..count {
            queue.push(NodeBuilder::new("message").attr("id", n).build());
        }
        queue
    }

    fn ids(due: &Due) -> Vec<usize> {
        due.stanzas
            .iter()
            .map(|stanza| attr(stanza, "id").unwrap().parse().unwrap())
            .collect()
    }

    #[test]
    fn a_backlog_comes_in_order_as_it_is_asked_for() {
        let mut queue = queue(12);
        assert!(queue.due().stanzas.is_empty(), "held until active");
        assert_eq!(queue.activate().unwrap().messages, 12);
        assert_eq!(ids(&queue.due()), [0, 1, 2, 3, 4]);
        assert!(queue.due().stanzas.is_empty());
        assert!(queue.acknowledge("message", "0"));
        assert_eq!(ids(&queue.due()), [5]);
        queue.grant(100);
        // What came meanwhile stays behind the backlog and is not part of it.
        queue.push(NodeBuilder::new("message").attr("id", 12).build());
        let due = queue.due();
        assert_eq!(ids(&due), [6, 7, 8, 9, 10, 11]);
        assert_eq!(due.backlog_ended, Some(12));
        let due = queue.due();
        assert_eq!(ids(&due), [12]);
        assert!(attr(&due.stanzas[0], "offline").is_none());
    }

    #[test]
    fn what_was_not_acknowledged_comes_again_and_says_so() {
        let mut queue = queue(2);
        queue.activate();
        queue.due();
        assert!(queue.acknowledge("message", "0"));
        assert!(!queue.acknowledge("message", "0"));
        queue.hold();
        queue.activate();
        let due = queue.due();
        assert_eq!(ids(&due), [1]);
        assert_eq!(attr(&due.stanzas[0], "offline").as_deref(), Some("1"));
    }

    #[test]
    fn an_empty_backlog_ends_at_once() {
        let mut queue = Queue::default();
        assert_eq!(queue.activate().unwrap().total(), 0);
        assert_eq!(queue.due().backlog_ended, Some(0));
    }
}
