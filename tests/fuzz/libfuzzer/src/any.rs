//! Lets libFuzzer play with one target, named in the environment: `TARGET=devices`.

#![no_main]

use std::{env, sync::LazyLock};

use fuzz::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: LazyLock<&'static Target> = LazyLock::new(|| {
    let name = env::var("TARGET").expect("TARGET names what to play with");
    fuzz::target(&name).expect("a target of this name")
});

fuzz_target!(|data: &[u8]| (TARGET.run)(data));
