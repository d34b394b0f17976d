//! Single keys of a terminal, without the return key.
//!
//! A thread reads them. It looks up ten times a second whether it is still wanted: a read that waits cannot be called off.

use std::io::{IsTerminal, Stdin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Keys that wait; whoever types more has to type them again.
const KEYS_MAX: usize = 16;

/// How long a read waits for a key, in tenths of a second.
const WAIT_TENTHS: u8 = 1;

/// What somebody wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Build and deploy again.
    Rebuild,
    /// Clear the screen.
    Clear,
    /// Move the clock ahead, where there is one that may be moved.
    Later,
    /// End.
    Quit,
}

impl Key {
    fn of(byte: u8) -> Option<Key> {
        match byte.to_ascii_lowercase() {
            b'r' => Some(Key::Rebuild),
            b'c' => Some(Key::Clear),
            b't' => Some(Key::Later),
            // Also Ctrl-D, the end of what is typed.
            b'q' | 4 => Some(Key::Quit),
            _ => None,
        }
    }
}

/// The keys of a terminal; it is set back to what it was when this is dropped.
pub(super) struct Keys {
    keys: Receiver<Key>,
    reader: Option<JoinHandle<()>>,
    is_over: Arc<AtomicBool>,
    before: Termios,
}

impl Keys {
    /// Takes the keys of this process's terminal; none if there is no terminal, or another process has it.
    pub(super) fn of_terminal() -> Option<Keys> {
        let input = std::io::stdin();
        let is_ours = input.is_terminal() && tcgetpgrp(&input).ok() == Some(rustix::process::getpgrp());
        let before = tcgetattr(&input).ok().filter(|_| is_ours)?;
        let mut single = before.clone();
        // Signals of Ctrl-C and Ctrl-Z stay what they are.
        single.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        single.special_codes[SpecialCodeIndex::VMIN] = 0;
        single.special_codes[SpecialCodeIndex::VTIME] = WAIT_TENTHS;
        tcsetattr(&input, OptionalActions::Now, &single).ok()?;
        let (tells, keys) = channel(KEYS_MAX);
        let is_over = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&is_over);
        let work = move || read(&input, &tells, &ends);
        let reader = std::thread::Builder::new().name("dev-keys".to_owned()).spawn(work).ok();
        Some(Keys { keys, reader, is_over, before })
    }

    /// Returns the next key that means something. Loses nothing if it is dropped.
    pub(super) async fn next(&mut self) -> Key {
        match self.keys.recv().await {
            Some(key) => key,
            None => std::future::pending().await,
        }
    }
}

fn read(input: &Stdin, tells: &Sender<Key>, is_over: &AtomicBool) {
    let mut byte = [0];
    while !is_over.load(Ordering::Relaxed) {
        match rustix::io::read(input, &mut byte) {
            Ok(0) => {}
            Ok(_) => {
                if let Some(key) = Key::of(byte[0]) {
                    // Whoever types faster than anybody works types again.
                    let _ = tells.try_send(key);
                }
            }
            // The terminal is gone; a signal says so too.
            Err(_) => return,
        }
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // The thread has nothing to tell at its end.
        let _ = self.reader.take().map(JoinHandle::join);
        // The terminal may be gone, and then nobody misses its settings.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_the_bar_says() {
        let keys: Vec<_> = b"rRctq\x04x\n".iter().map(|byte| Key::of(*byte)).collect();
        let (rebuild, quit) = (Some(Key::Rebuild), Some(Key::Quit));
        assert_eq!(keys, [rebuild, rebuild, Some(Key::Clear), Some(Key::Later), quit, quit, None, None]);
    }
}
