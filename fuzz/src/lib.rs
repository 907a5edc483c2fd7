//! What the guest program does with the fields of its configuration, as a library: the program's own files, which fuzz
//! targets cannot name otherwise.

#[path = "../../src/bin/sistemo-guest/accounts.rs"]
pub mod accounts;
#[path = "../../src/bin/sistemo-guest/disks.rs"]
pub mod disks;
#[path = "../../src/bin/sistemo-guest/environment.rs"]
pub mod environment;
#[path = "../../src/bin/sistemo-guest/identity.rs"]
pub mod identity;
#[path = "../../src/bin/sistemo-guest/text.rs"]
pub mod text;
#[path = "../../src/bin/sistemo-guest/uevent.rs"]
pub mod uevent;
