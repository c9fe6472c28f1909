//! Where faults strike: at once on live connections, or on the next login, or on messages as they are
//! written. It must leave the connections of other numbers alone.

use std::time::Duration;

use tokio::time::Instant;
use wacore_binary::Node;
use wacore_binary::builder::NodeBuilder;

use super::{Fault, Kind};
use crate::error::SimError;
use crate::login::conflict;
use crate::socket::{Out, SocketId};
use crate::stanza::{empty, ib};
use crate::world::World;

impl World {
    /// Sets a fault.
    ///
    /// # Errors
    /// If the number has no account, or the fault is without sense.
    pub fn fault(&mut self, fault: Fault) -> Result<(), SimError> {
        if let Some(number) = &fault.number {
            self.account(number)?;
        } else if fault.device.is_some() {
            return Err(SimError::BadFault("a device needs its number".into()));
        }
        if fault.times == Some(0) {
            return Err(SimError::BadFault("times is at least 1".into()));
        }
        if fault.kind == Kind::Delay && fault.delay_ms.is_none() {
            return Err(SimError::BadFault("a delay needs delay_ms".into()));
        }
        if fault.kind == Kind::Clear {
            let same =
                |other: &Fault| (&other.number, other.device) == (&fault.number, fault.device);
            self.faults.0.retain(|other| !same(other));
            return Ok(());
        }
        if !fault.kind.strikes_at_once() {
            self.faults.0.push(fault);
            return Ok(());
        }
        let mut left = fault.times.unwrap_or(1);
        let live: Vec<SocketId> = self
            .sockets
            .iter()
            .filter(|(_, socket)| !socket.ending() && !socket.stalled)
            .map(|(id, _)| *id)
            .collect();
        let live: Vec<SocketId> = live
            .into_iter()
            .filter(|id| {
                let who = self.who_on(*id);
                fault.is_for(
                    who.as_ref()
                        .map(|(number, device)| (number.as_str(), *device)),
                )
            })
            .collect();
        if !live.is_empty() {
            left -= 1;
        }
        for id in live {
            self.strike(id, &fault);
        }
        if left > 0 {
            self.faults.0.push(Fault {
                times: Some(left),
                ..fault
            });
        }
        Ok(())
    }

    /// A fault that waited for a login strikes it.
    pub(crate) fn strike_after_login(&mut self, number: &str, device: u16) {
        let kinds = [
            Kind::Drop,
            Kind::Stall,
            Kind::StreamError,
            Kind::ConflictReplaced,
            Kind::ConflictRemoved,
            Kind::CorruptFrame,
            Kind::DowngradeWebclient,
        ];
        let Some(fault) = self.faults.take(&kinds, Some((number, device))) else {
            return;
        };
        let newest = self
            .sockets
            .iter()
            .rev()
            .find(|(id, _)| self.who_on(**id) == Some((number.to_owned(), device)))
            .map(|(id, _)| *id);
        if let Some(id) = newest {
            self.strike(id, &fault);
        }
    }

    fn strike(&mut self, id: SocketId, fault: &Fault) {
        let due = fault
            .delay_ms
            .map(|delay| Instant::now() + Duration::from_millis(delay));
        match fault.kind {
            Kind::Drop => self.put(id, Out::Drop, due),
            Kind::Stall => {
                if let Some(socket) = self.sockets.get_mut(&id) {
                    socket.stalled = true;
                }
            }
            Kind::StreamError => {
                let error = NodeBuilder::new("stream:error")
                    .attr("code", fault.code.unwrap_or(503))
                    .build();
                self.end_with(id, error, due);
            }
            Kind::ConflictReplaced => self.end_with(id, conflict("replaced"), due),
            Kind::ConflictRemoved => {
                let mut removed = conflict("device_removed");
                removed.attrs.insert("code", "401");
                self.end_with(id, removed, due);
            }
            Kind::CorruptFrame => self.put(id, Out::Garbage, due),
            Kind::DowngradeWebclient => {
                self.put(id, Out::Stanza(ib(empty("downgrade_webclient"))), due);
            }
            Kind::Failure
            | Kind::TempBan
            | Kind::RefuseLogin
            | Kind::Delay
            | Kind::WithholdAcks
            | Kind::RefuseAcks
            | Kind::Duplicate
            | Kind::Reorder
            | Kind::IgnoreRetries
            | Kind::RefusePasskey
            | Kind::Clear => {}
        }
    }

    fn put(&mut self, id: SocketId, out: Out, due: Option<Instant>) {
        if let Some(socket) = self.sockets.get_mut(&id) {
            socket.put(out, due);
        }
    }

    /// Writes a stanza from a device's queue, after faults that touch messages had their say.
    pub(crate) fn write_queued(&mut self, id: SocketId, stanza: Node) {
        if stanza.tag != "message" {
            return self.write(id, stanza);
        }
        let who = self.who_on(id);
        let who = who
            .as_ref()
            .map(|(number, device)| (number.as_str(), *device));
        let held = self
            .sockets
            .get_mut(&id)
            .and_then(|socket| socket.held.take());
        if held.is_none() && self.faults.reorders(who) {
            if let Some(socket) = self.sockets.get_mut(&id) {
                socket.held = Some(stanza);
            }
            return;
        }
        if self.faults.duplicates(who) {
            self.write(id, stanza.clone());
        }
        self.write(id, stanza);
        if let Some(held) = held {
            self.write(id, held);
        }
    }
}
