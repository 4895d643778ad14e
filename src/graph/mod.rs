//! A plan as a picture: every step a box, every way onward a line that begins at its own row.
//!
//! ```text
//!  Plan ─ model ─▶ boxes and rows ─ layout ─▶ places ─ svg ─▶ one file, no script, light and dark
//!                       ▲                        └──── text ─▶ Graphviz, Mermaid
//!  records ─ traffic ───┘
//! ```

mod layout;
mod model;
mod svg;
mod text;
mod traffic;

pub use layout::{Layout, Placed, Wire, layout};
pub use model::{Exit, Graph, Kind, Node, Row};
pub use svg::svg;
pub use text::{dot, mermaid};
pub use traffic::{StepTraffic, Traffic};
