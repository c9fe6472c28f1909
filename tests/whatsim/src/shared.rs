//! The world behind its lock, and the count of changes that waiters watch. Nothing may be awaited
//! while the lock is held.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::certificates::Credentials;
use crate::world::World;

/// The world as connections, control calls and tests share it.
pub struct Shared {
    world: Mutex<World>,
    credentials: Credentials,
    changes: watch::Sender<u64>,
}

impl Shared {
    /// Takes a world into common use.
    pub fn new(world: World, credentials: Credentials) -> Self {
        Self {
            world: Mutex::new(world),
            credentials,
            changes: watch::Sender::new(0),
        }
    }

    /// The server's keys.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    fn lock(&self) -> MutexGuard<'_, World> {
        // A panic in one test's closure must not hide behind a second one here.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks without changing anything a waiter could wait for.
    pub fn peek<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.lock())
    }

    /// Changes the world, lets its phones react, and wakes the waiters.
    pub fn with<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let result = {
            let mut world = self.lock();
            let result = change(&mut world);
            world.settle();
            result
        };
        self.changes.send_modify(|count| *count += 1);
        result
    }

    /// Waits until `look` finds something.
    pub async fn until<T>(&self, mut look: impl FnMut(&mut World) -> Option<T>) -> T {
        let mut changes = self.changes.subscribe();
        loop {
            changes.mark_unchanged();
            if let Some(found) = self.peek(&mut look) {
                return found;
            }
            // The sender lives in self: it cannot be gone.
            let _ = changes.changed().await;
        }
    }
}
