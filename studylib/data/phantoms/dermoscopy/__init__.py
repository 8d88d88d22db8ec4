"""What a dermoscopic picture is made of: kinds of lesions, their place in a picture, pigments and light, artefacts."""
