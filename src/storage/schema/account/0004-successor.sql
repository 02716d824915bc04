-- successor: the session of the same browser that took this one's place, while apps still hang on this one. It has no cookie any more.
ALTER TABLE session ADD COLUMN successor TEXT;
