-- What the image that a root volume was cloned from says of its application, as JSON: the volume outlives the image.
ALTER TABLE volumes ADD COLUMN image_config TEXT;
