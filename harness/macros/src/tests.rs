//! What is said of wrong declarations, what right ones become, and how assertions are found.

mod found;
mod messages;
mod written;
