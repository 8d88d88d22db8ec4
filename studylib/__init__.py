"""Do class activation maps show where a medical image classifier looks? Five studies, measured.

Nothing is imported here, so that ``python -m studylib --help`` and the site stay quick.
"""

__version__ = "0.1.0"
