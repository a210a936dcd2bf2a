"""`lstm-serve doctor`: whether a server can run here, and what to do about what is in its way."""

from service.commands.doctor.command import Doctor, doctor

__all__ = ["Doctor", "doctor"]
