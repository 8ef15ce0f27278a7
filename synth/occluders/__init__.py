"""Objects that stand before people: cut from photographs or drawn, kept in a bank."""
