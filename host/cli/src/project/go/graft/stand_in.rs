//! The functions that take the place of WASI 0.1, in instructions of WebAssembly.
//!
//! What is printed waits in a buffer below Go's own data, where Go's linker leaves room for the arguments of programs in browsers
//! (`wasmMinDataAddr` there). It is told to the log line by line when the call ends, or as one error when the program does. A program
//! that Go's runtime ends may end in the middle of what it says: its first line is told at once, and once more with what follows.

use wasm_encoder::{BlockType, ConstExpr, Function, GlobalType, InstructionSink, MemArg, ValType};

const I32: ValType = ValType::I32;
const I64: ValType = ValType::I64;
const NONE: BlockType = BlockType::Empty;

/// Where what is printed waits, and how many bytes have room. More is dropped: the first words say what happened.
const BUFFER: i32 = 4096;
const BUFFER_BYTES: i32 = 2048;

/// Levels of the host's log.
const INFO: i32 = 2;
const WARN: i32 = 3;
const ERROR: i32 = 4;

/// The number of standard error among files.
const STDERR: i32 = 2;

/// Errors of WASI: no such file, no such function.
const BADF: i32 = 8;
const NOSYS: i32 = 52;

/// What the rising clock gains at each look.
const LOOK_NANOS: i64 = 1000;

/// How what Go's runtime says begins when it ends the program: `panic: …` and `fatal error: …`.
const DYING: [&[u8; 4]; 2] = [b"pani", b"fata"];

/// How much of it is worth to be told a second time: the words, and which functions ran.
const TRACE_BYTES: i32 = 512;

/// What a program says that ends itself without a word.
const LAST_WORD: &[u8; 8] = b"os.Exit.";

/// Variables of these functions, numbered after those of the module.
#[derive(Debug, Clone, Copy)]
enum Global {
    /// The moment of the call, in nanoseconds since the Unix epoch.
    Clock,
    /// A clock that only rises, in nanoseconds.
    Rising,
    /// The state of the random numbers.
    Random,
    /// Where the arena begins, where its next free byte is, and where it ends.
    ArenaStart,
    ArenaNext,
    ArenaEnd,
    /// How many bytes wait in the buffer, and the number of the file to which they were written.
    Said,
    SaidTo,
    /// How often something has been told of why the program ends.
    Told,
}

/// Returns the types and first values of [`Global`].
pub(super) fn globals() -> [(GlobalType, ConstExpr); 9] {
    let long = |value| (global(I64), ConstExpr::i64_const(value));
    let word = || (global(I32), ConstExpr::i32_const(0));
    [long(0), long(1_000_000_000), long(0), word(), word(), word(), word(), word(), word()]
}

fn global(val_type: ValType) -> GlobalType {
    GlobalType { val_type, mutable: true, shared: false }
}

/// Numbers in the new module.
pub(super) struct Places {
    /// How many global variables the module had.
    pub(super) globals: u32,
    /// [`Own::Say`].
    pub(super) say: u32,
    /// [`Own::Flush`].
    pub(super) flush: u32,
    /// The host's log.
    pub(super) log: u32,
    /// The SDK's function that takes memory from Go.
    pub(super) allocate: u32,
}

impl Places {
    fn of(&self, global: Global) -> u32 {
        self.globals + global as u32
    }
}

/// Functions that are added.
#[derive(Debug, Clone, Copy)]
pub(super) enum Own {
    /// `(old, old size, alignment, size) -> address`: memory for what the host hands over.
    Realloc,
    /// `(file, address, bytes)`: puts something printed into the buffer.
    Say,
    /// Tells the log what is in the buffer, line by line.
    Flush,
}

impl Own {
    pub(super) const ALL: [Own; 3] = [Own::Realloc, Own::Say, Own::Flush];
    pub(super) const COUNT: u32 = 3;

    /// Returns the types of its parameters and results.
    pub(super) fn signature(self) -> (&'static [ValType], &'static [ValType]) {
        match self {
            Own::Realloc => (&[I32, I32, I32, I32], &[I32]),
            Own::Say => (&[I32, I32, I32], &[]),
            Own::Flush => (&[], &[]),
        }
    }

    pub(super) fn body(self, places: &Places) -> Function {
        match self {
            Own::Realloc => realloc(places),
            Own::Say => say(places),
            Own::Flush => flush(places),
        }
    }
}

/// What stands in for an imported function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StandIn {
    /// `steward:sdk begin(now in nanoseconds, seed)`: a call begins.
    Begin,
    /// `steward:sdk end()`: a call ends, and what the host handed over is not needed any more.
    End,
    /// `steward:sdk arena(address, bytes)`: sets memory aside.
    Arena,
    Clock,
    Random,
    Write,
    Exit,
    Poll,
    /// Two counts, both 0: of arguments, or of variables of the environment.
    NoCounts,
    /// Nothing to do, and that succeeds.
    Success,
    /// An error's number.
    Refusal(i32),
}

impl StandIn {
    /// Returns what stands in for an import; none: the import stays.
    pub(super) fn of(module: &str, name: &str) -> Option<StandIn> {
        match (module, name) {
            ("steward:sdk", "begin") => Some(StandIn::Begin),
            ("steward:sdk", "end") => Some(StandIn::End),
            ("steward:sdk", "arena") => Some(StandIn::Arena),
            ("wasi_snapshot_preview1", "clock_time_get") => Some(StandIn::Clock),
            ("wasi_snapshot_preview1", "random_get") => Some(StandIn::Random),
            ("wasi_snapshot_preview1", "fd_write") => Some(StandIn::Write),
            ("wasi_snapshot_preview1", "proc_exit") => Some(StandIn::Exit),
            ("wasi_snapshot_preview1", "poll_oneoff") => Some(StandIn::Poll),
            ("wasi_snapshot_preview1", "args_sizes_get" | "environ_sizes_get") => Some(StandIn::NoCounts),
            ("wasi_snapshot_preview1", "args_get" | "environ_get" | "sched_yield") => Some(StandIn::Success),
            ("wasi_snapshot_preview1", name) if name.starts_with("fd_") => Some(StandIn::Refusal(BADF)),
            ("wasi_snapshot_preview1", _) => Some(StandIn::Refusal(NOSYS)),
            _ => None,
        }
    }

    pub(super) fn body(self, places: &Places) -> Function {
        match self {
            StandIn::Begin => function(&[], |code| {
                code.local_get(0).global_set(places.of(Global::Clock));
                code.local_get(1).global_set(places.of(Global::Random));
            }),
            StandIn::End => function(&[], |code| {
                code.global_get(places.of(Global::ArenaStart)).global_set(places.of(Global::ArenaNext));
                code.global_get(places.of(Global::Said)).if_(NONE).call(places.flush).end();
            }),
            StandIn::Arena => function(&[], |code| {
                code.local_get(0).global_set(places.of(Global::ArenaStart));
                code.local_get(0).global_set(places.of(Global::ArenaNext));
                code.local_get(0).local_get(1).i32_add().global_set(places.of(Global::ArenaEnd));
            }),
            StandIn::Clock => clock(places),
            StandIn::Random => random(places),
            StandIn::Write => write(places),
            StandIn::Exit => exit(places),
            StandIn::Poll => poll(places),
            StandIn::NoCounts => function(&[], |code| {
                code.local_get(0).i32_const(0).i32_store(at(0, 2));
                code.local_get(1).i32_const(0).i32_store(at(0, 2));
                code.i32_const(0);
            }),
            StandIn::Success => function(&[], |code| {
                code.i32_const(0);
            }),
            StandIn::Refusal(number) => function(&[], |code| {
                code.i32_const(number);
            }),
        }
    }
}

/// Returns a function with more variables than its parameters.
fn function(variables: &[ValType], write: impl FnOnce(&mut InstructionSink<'_>)) -> Function {
    let mut function = Function::new_with_locals_types(variables.iter().copied());
    let mut code = function.instructions();
    write(&mut code);
    code.end();
    function
}

fn at(offset: u64, align: u32) -> MemArg {
    MemArg { offset, align, memory_index: 0 }
}

/// `(id, precision, address of the answer) -> error`
fn clock(places: &Places) -> Function {
    function(&[], |code| {
        let rising = places.of(Global::Rising);
        code.local_get(2).local_get(0).i32_eqz().if_(BlockType::Result(I64));
        code.global_get(places.of(Global::Clock));
        code.else_().global_get(rising).i64_const(LOOK_NANOS).i64_add().global_set(rising).global_get(rising);
        code.end().i64_store(at(0, 3)).i32_const(0);
    })
}

/// `(address, bytes) -> error`: SplitMix64, a step for each byte.
///
/// Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators".
fn random(places: &Places) -> Function {
    let state = places.of(Global::Random);
    function(&[I64], |code| {
        code.block(NONE).loop_(NONE).local_get(1).i32_eqz().br_if(1);
        code.global_get(state).i64_const(0x9e37_79b9_7f4a_7c15_u64.cast_signed()).i64_add().global_set(state);
        code.global_get(state).local_set(2);
        for (shift, factor) in [(30, 0xbf58_476d_1ce4_e5b9_u64), (27, 0x94d0_49bb_1331_11eb)] {
            code.local_get(2).local_get(2).i64_const(shift).i64_shr_u().i64_xor();
            code.i64_const(factor.cast_signed()).i64_mul().local_set(2);
        }
        code.local_get(0).local_get(2).local_get(2).i64_const(31).i64_shr_u().i64_xor().i64_store8(at(0, 0));
        code.local_get(0).i32_const(1).i32_add().local_set(0);
        code.local_get(1).i32_const(1).i32_sub().local_set(1);
        code.br(0).end().end().i32_const(0);
    })
}

/// `(file, address of pairs of address and bytes, how many pairs, address for the count) -> error`
fn write(places: &Places) -> Function {
    let total = 4;
    function(&[I32], |code| {
        code.block(NONE).loop_(NONE).local_get(2).i32_eqz().br_if(1);
        code.local_get(0).local_get(1).i32_load(at(0, 2)).local_get(1).i32_load(at(4, 2)).call(places.say);
        code.local_get(total).local_get(1).i32_load(at(4, 2)).i32_add().local_set(total);
        code.local_get(1).i32_const(8).i32_add().local_set(1);
        code.local_get(2).i32_const(1).i32_sub().local_set(2);
        code.br(0).end().end();
        code.local_get(3).local_get(total).i32_store(at(0, 2)).i32_const(0);
    })
}

/// `(code)`: tells why, and ends the instance.
fn exit(places: &Places) -> Function {
    let said = places.of(Global::Said);
    function(&[], |code| {
        code.global_get(said).i32_eqz().if_(NONE);
        code.i32_const(BUFFER).i64_const(i64::from_le_bytes(*LAST_WORD)).i64_store(at(0, 0));
        code.i32_const(8).global_set(said).end();
        tell(code, places);
        code.unreachable();
    })
}

/// `(subscriptions, events, how many, address for the count) -> error`: a wait for a time ends at once, and the rising clock has
/// moved by it. There is nothing else to wait for.
fn poll(places: &Places) -> Function {
    let rising = places.of(Global::Rising);
    function(&[], |code| {
        code.local_get(0).i32_load8_u(at(8, 0)).if_(NONE).i32_const(NOSYS).return_().end();
        code.global_get(rising).local_get(0).i64_load(at(24, 3)).i64_add().global_set(rising);
        code.local_get(1).local_get(0).i64_load(at(0, 3)).i64_store(at(0, 3));
        code.local_get(1).i32_const(0).i32_store(at(8, 2));
        code.local_get(3).i32_const(1).i32_store(at(0, 2)).i32_const(0);
    })
}

fn realloc(places: &Places) -> Function {
    let next = places.of(Global::ArenaNext);
    let (old, old_size, align, size, found) = (0, 1, 2, 3, 4);
    function(&[I32], |code| {
        code.global_get(next).local_get(align).i32_add().i32_const(1).i32_sub();
        code.i32_const(0).local_get(align).i32_sub().i32_and().local_set(found);
        // Nothing is set aside before the SDK has begun: the end is 0 then, and Go is asked.
        code.local_get(found).global_get(places.of(Global::ArenaEnd)).i32_le_u();
        code.global_get(places.of(Global::ArenaEnd)).local_get(found).i32_sub().local_get(size).i32_ge_u().i32_and();
        code.if_(NONE).local_get(found).local_get(size).i32_add().global_set(next);
        code.else_().local_get(size).call(places.allocate).local_set(found).end();
        code.local_get(old_size).if_(NONE);
        code.local_get(found).local_get(old).local_get(old_size).memory_copy(0, 0).end();
        code.local_get(found);
    })
}

/// Tells the log all that is in the buffer as one error.
fn tell(code: &mut InstructionSink<'_>, places: &Places) {
    code.i32_const(ERROR).i32_const(BUFFER).global_get(places.of(Global::Said)).i32_const(0).i32_const(0);
    code.call(places.log);
}

/// Tells why the program ends, if that is what waits in the buffer: after its first line, and when there is more.
fn last_words(code: &mut InstructionSink<'_>, places: &Places) {
    let told = places.of(Global::Told);
    code.i32_const(0);
    for begin in DYING {
        code.i32_const(BUFFER).i32_load(at(0, 2)).i32_const(i32::from_le_bytes(*begin)).i32_eq().i32_or();
    }
    code.if_(NONE);
    code.global_get(places.of(Global::Said)).global_get(told).i32_const(TRACE_BYTES).i32_mul().i32_ge_s();
    code.global_get(told).i32_const(2).i32_lt_s().i32_and().if_(NONE);
    tell(code, places);
    code.global_get(told).i32_const(1).i32_add().global_set(told).end().end();
}

fn say(places: &Places) -> Function {
    let (said, to) = (places.of(Global::Said), places.of(Global::SaidTo));
    let (file, from, bytes) = (0, 1, 2);
    function(&[], |code| {
        code.global_get(to).local_get(file).i32_ne().if_(NONE).call(places.flush).end();
        code.local_get(file).global_set(to);
        // As many bytes as there is room for.
        code.local_get(bytes).i32_const(BUFFER_BYTES).global_get(said).i32_sub();
        code.local_get(bytes).i32_const(BUFFER_BYTES).global_get(said).i32_sub().i32_lt_u().select().local_set(bytes);
        code.i32_const(BUFFER).global_get(said).i32_add().local_get(from).local_get(bytes).memory_copy(0, 0);
        code.global_get(said).local_get(bytes).i32_add().global_set(said);
        code.global_get(said).if_(NONE).i32_const(BUFFER - 1).global_get(said).i32_add().i32_load8_u(at(0, 0));
        code.i32_const(i32::from(b'\n')).i32_eq().if_(NONE);
        code.local_get(file).i32_const(STDERR).i32_eq().if_(NONE);
        last_words(code, places);
        // Lines of standard output are told as they come: a program that ends says nothing of them.
        code.else_().call(places.flush).end().end().end();
    })
}

fn flush(places: &Places) -> Function {
    let said = places.of(Global::Said);
    let (begin, here, end) = (0, 1, 2);
    function(&[I32, I32, I32], |code| {
        code.i32_const(BUFFER).local_tee(begin).local_tee(here).global_get(said).i32_add().local_set(end);
        // Told first and emptied then would tell twice if the log came back here.
        code.i32_const(0).global_set(said).i32_const(0).global_set(places.of(Global::Told));
        code.block(NONE).loop_(NONE).local_get(begin).local_get(end).i32_ge_u().br_if(1);
        code.block(NONE).loop_(NONE).local_get(here).local_get(end).i32_ge_u().br_if(1);
        code.local_get(here).i32_load8_u(at(0, 0)).i32_const(i32::from(b'\n')).i32_eq().br_if(1);
        code.local_get(here).i32_const(1).i32_add().local_set(here).br(0).end().end();
        code.local_get(here).local_get(begin).i32_ne().if_(NONE);
        code.i32_const(WARN).i32_const(INFO).global_get(places.of(Global::SaidTo)).i32_const(STDERR).i32_eq().select();
        code.local_get(begin)
            .local_get(here)
            .local_get(begin)
            .i32_sub()
            .i32_const(0)
            .i32_const(0)
            .call(places.log)
            .end();
        code.local_get(here).i32_const(1).i32_add().local_tee(begin).local_set(here).br(0).end().end();
    })
}
