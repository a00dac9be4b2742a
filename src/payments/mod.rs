//! A payment's life: from a model's words to settled money.
