"""The works in Luigi's words: tasks whose targets are files in a folder of the run's own."""

import os
from pathlib import Path

import luigi

FANOUT, CHAIN, ARTIFACT_MB = 100, 20, 200


class Step(luigi.Task):
    """A task of one run: done when its file is there."""

    folder = luigi.Parameter()
    number = luigi.IntParameter(default=0)

    def output(self) -> luigi.LocalTarget:
        """The file."""
        return luigi.LocalTarget(f"{self.folder}/{type(self).__name__}-{self.number}")

    def run(self) -> None:
        """The smallest task there is."""
        with self.output().open("w") as file:
            file.write(str(self.number))


class OneOp(Step):
    """One task."""


class Square(Step):
    """A branch of the fan-out."""


class Fanout(Step):
    """Every branch, and then their sum."""

    def requires(self) -> list[luigi.Task]:
        """The branches."""
        return [Square(folder=self.folder, number=number) for number in range(FANOUT)]

    def run(self) -> None:
        """Their sum."""
        total = 0
        for branch in self.input():
            with branch.open() as file:
                total += int(file.read()) ** 2
        with self.output().open("w") as file:
            file.write(str(total))


class Chain(Step):
    """Twenty tasks, each waiting for the one before."""

    number = luigi.IntParameter(default=CHAIN)

    def requires(self) -> list[luigi.Task]:
        """The link before."""
        return [Chain(folder=self.folder, number=self.number - 1)] if self.number > 1 else []


class Large(Step):
    """200 MB that do not compress."""

    def run(self) -> None:
        """Write them."""
        with self.output().temporary_path() as path:
            Path(path).write_bytes(os.urandom(ARTIFACT_MB * 1000 * 1000))


class Artifact(Step):
    """A large file from one task to the next."""

    def requires(self) -> luigi.Task:
        """Whoever writes it."""
        return Large(folder=self.folder)

    def run(self) -> None:
        """Read it."""
        size = len(Path(self.input().path).read_bytes())
        with self.output().open("w") as file:
            file.write(str(size))
