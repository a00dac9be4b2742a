//! OpenAI's chat completions: the dialect clients speak at our door and most providers at theirs.
//! `read_*` look only at the fields fengate acts on; what is not understood stays in the bytes and passes through.

mod author;
mod event;
mod reply;
mod request;
mod words;

pub use author::{Authored, Piece, chunk_json, completion, model_card, model_list};
pub use event::{patched_chunk, read_event, usage_chunk};
pub use reply::{ErrorBody, finished, message_of, model_of, read_error, read_reply};
pub use request::{ReadRequest, canonical, read_request, write_request};
pub use words::user_words;
