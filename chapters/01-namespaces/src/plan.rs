//! How a plan is written down: as JSON that shows what is special about it.

/// What was not asked for is left out of a plan that is written down, so that a plan shows what is special about it.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
