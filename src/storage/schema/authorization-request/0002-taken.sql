-- taken_by: the visit that this pushed request has given a code to; the same one may have another, no other any.
ALTER TABLE pushed_request ADD COLUMN taken_by TEXT;
