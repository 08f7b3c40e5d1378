//! System calls that neither `nix` nor `rustix` has. The only `unsafe` of the chapter.
