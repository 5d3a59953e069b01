"""A real Flink and a real Spark with two workers each, from Maven Central and PyPI, for tests.

Everything listens on this machine alone. Each task manager or executor has a Beam worker pool of its own, as it
has a container of its own on a cluster: two that share one number their workers alike, and one stops the other's.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import yaml
from worlds import java

FLINK, SPARK = "1.19.3", "3.5.0"
BEAM = metadata.version("apache-beam")
FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crowdflow" / "engines"
_RUNNERS = {
    "flink": ("beam-runners-flink-1.19", "org.apache.beam.runners.flink.FlinkJobServerDriver"),
    "spark": ("beam-runners-spark-3", "org.apache.beam.runners.spark.SparkJobServerDriver"),
}
_PACKAGES = {"flink": ("apache-flink-libraries", FLINK), "spark": ("pyspark", SPARK)}
# What Java 17 closes and both engines open.
_OPENS = [
    f"--add-opens=java.base/{name}=ALL-UNNAMED"
    for name in (
        *("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio"),
        *("java.text", "java.time", "java.util", "java.util.concurrent", "sun.util.calendar"),
        *("java.util.concurrent.atomic", "java.util.concurrent.locks", "sun.nio.ch", "sun.nio.cs"),
        "sun.security.action",
    )
]
_OPENS += [
    f"--add-exports={name}=ALL-UNNAMED"
    for name in ("java.base/sun.net.util", "java.security.jgss/sun.security.krb5")
]
_POM = """\
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>crowdflow</groupId><artifactId>{engine}-job-server</artifactId><version>1</version>
  <dependencies>
    <dependency>
      <groupId>org.apache.beam</groupId><artifactId>{artifact}</artifactId><version>{beam}</version>
    </dependency>
    <dependency><groupId>org.slf4j</groupId><artifactId>slf4j-simple</artifactId><version>1.7.30</version></dependency>
  </dependencies>
</project>
"""
_LOG4J = """\
rootLogger.level = WARN
rootLogger.appenderRef.console.ref = C
appender.console.name = C
appender.console.type = CONSOLE
"""
_POOL_HOST, _POOL_PORT = "worker-pool", 50000
_POOL = """\
import sys, threading
import grpc
from apache_beam.portability.api import beam_fn_api_pb2_grpc
from apache_beam.runners.worker.worker_pool_main import BeamFnExternalWorkerPoolServicer
from apache_beam.utils import thread_pool_executor
server = grpc.server(thread_pool_executor.shared_unbounded_instance())
assert server.add_insecure_port(sys.argv[1])
pool = BeamFnExternalWorkerPoolServicer(use_process=True)
beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(pool, server)
server.start()
threading.Event().wait()
"""


class Missing(Exception):
    """An engine cannot be had on this machine; the text says why."""


def fetch(engine: str) -> Path:
    """The folder of an engine and its job server, which is filled once.

    Raises:
      Missing: Java 17 or Maven is not there, or a registry cannot be reached.
    """
    if lacking := java.lacking("java", "mvn"):
        raise Missing(lacking)
    home = FOLDER / f"{engine}-beam-{BEAM}"
    if not (home / "complete").exists():
        home.mkdir(parents=True, exist_ok=True)
        _fetch_job_server(engine, home)
        _fetch_engine(engine, home)
        (home / "complete").touch()
    return home


def _fetch_job_server(engine: str, home: Path) -> None:
    artifact, main = _RUNNERS[engine]
    pom = home / "pom.xml"
    pom.write_text(_POM.format(engine=engine, artifact=artifact, beam=BEAM))
    goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
    _run(["mvn", "-B", "-q", "-ntp", f"--file={pom}", *goal, f"-DoutputDirectory={home / 'jars'}"])
    paths = " ".join(path.as_uri() for path in sorted((home / "jars").iterdir()))
    value = f"Class-Path: {paths}"
    lines = [value[:70], *(f" {value[at : at + 69]}" for at in range(70, len(value), 69))]
    manifest = ["Manifest-Version: 1.0", f"Main-Class: {main}", *lines, "", ""]
    with zipfile.ZipFile(home / "job-server.jar", "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", "\r\n".join(manifest))


def _fetch_engine(engine: str, home: Path) -> None:
    name, version = _PACKAGES[engine]
    shutil.rmtree(home / f"{name}-{version}", ignore_errors=True)
    pip = [sys.executable, "-m", "pip"]
    if subprocess.run([*pip, "--version"], capture_output=True).returncode:
        pip = [shutil.which("python3", path="/usr/local/bin:/usr/bin") or "python3", "-m", "pip"]
    _run(
        [*pip, "download", "-q", "--no-deps", "--no-binary", name, "-d", home, f"{name}=={version}"]
    )
    [archive] = home.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(home)
    archive.unlink()


def _run(command: list) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["no message"]
        raise Missing(f"{command[0]} could not get it: {lines[-1][:200]}")
    return done.stdout


class Cluster:
    """The processes of a cluster; the folder has their logs, settings and temporary files."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._processes: list[subprocess.Popen] = []

    def start(self, name: str, command: list, port: tuple[str, int] | None = None, **environment):
        """Starts a process, and waits until it listens where a port is given.

        Raises:
          RuntimeError: it ended or does not listen within two minutes.
        """
        log = self.folder / f"{name}.log"
        with log.open("w") as file:
            process = subprocess.Popen(
                list(map(str, command)),
                stdout=file,
                stderr=file,
                cwd=self.folder,
                env={**os.environ, **environment},
                start_new_session=True,
            )
        self._processes.append(process)
        deadline = time.monotonic() + 120
        while port and not _listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} does not listen at {port}:\n{log.read_text()[-3000:]}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Ends all processes."""
        for process in reversed(self._processes):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def start_pool(self, number: int) -> Path:
        """Starts a worker pool, and returns the file that tells a Java process where it is."""
        host = f"127.0.0.{number + 1}"
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        command = [sys.executable, "-c", _POOL, f"{host}:{_POOL_PORT}"]
        self.start(f"pool{number}", command, (host, _POOL_PORT), PATH=path)
        hosts = self.folder / str(number) / "hosts"
        hosts.parent.mkdir(exist_ok=True)
        lines = ["127.0.0.1 localhost", f"127.0.0.1 {socket.gethostname()}", f"{host} {_POOL_HOST}"]
        hosts.write_text("\n".join(lines) + "\n")
        return hosts


def _listens(port: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(port, timeout=1):
        return True
    return False


@contextlib.contextmanager
def running(engine: str, folder: Path) -> Iterator[list[str]]:
    """A cluster with two workers, as the Beam options that reach it; it ends with the context.

    Raises:
      Missing: as `fetch`.
    """
    home = fetch(engine)
    folder.mkdir(parents=True)
    cluster = Cluster(folder)
    try:
        options = (_start_flink if engine == "flink" else _start_spark)(cluster, home)
        yield [
            *options,
            "--parallelism=2",
            "--environment_type=EXTERNAL",
            f"--environment_config={_POOL_HOST}:{_POOL_PORT}",
            "--environment_cache_millis=300000",
            "--sdk_container_image=any",  # TFX then stages no package
        ]
    finally:
        cluster.stop()


def _start_flink(cluster: Cluster, home: Path) -> list[str]:
    deps, conf = home / f"apache-flink-libraries-{FLINK}" / "deps", cluster.folder / "conf"
    conf.mkdir()
    settings = {
        "jobmanager.rpc.address": "localhost",
        "jobmanager.bind-host": "localhost",
        "jobmanager.memory.process.size": "1600m",
        "taskmanager.host": "localhost",
        "taskmanager.bind-host": "localhost",
        "taskmanager.numberOfTaskSlots": 1,
        "taskmanager.memory.process.size": "2400m",
        # Every shuffle asks for `min-buffers` at once, and WindowGen has over a hundred tasks.
        "taskmanager.memory.network.min": "400m",
        "taskmanager.memory.network.max": "400m",
        "taskmanager.network.sort-shuffle.min-buffers": 64,
        "parallelism.default": 2,
        "rest.address": "localhost",
        "rest.port": 8081,
        "rest.bind-address": "localhost",
        "io.tmp.dirs": str(cluster.folder / "tmp"),
    }
    (conf / "config.yaml").write_text(yaml.safe_dump(settings))
    (conf / "log4j.properties").write_text(_LOG4J)
    log = f"-Dlog4j.configurationFile={conf / 'log4j.properties'}"
    classes = f"{deps}/lib/*"

    def memory(what: str) -> tuple[list[str], list[str]]:  # as Flink's own tool divides it
        tool = f"{deps}/bin/bash-java-utils.jar:{deps}/lib/flink-dist-{FLINK}.jar"
        main = "org.apache.flink.runtime.util.bash.BashJavaUtils"
        said = _run(["java", "-cp", tool, main, what, "--configDir", conf])
        mark = "BASH_JAVA_UTILS_EXEC_RESULT:"
        found = [line for line in said.splitlines() if line.startswith(mark)]
        jvm, dynamic = (line.removeprefix(mark).split() for line in found)
        return jvm, dynamic

    jvm, dynamic = memory("GET_JM_RESOURCE_PARAMS")
    main = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
    command = ["java", *_OPENS, log, *jvm, "-cp", classes, main, "--configDir", conf, *dynamic]
    cluster.start("jobmanager", command, ("localhost", 8081))
    jvm, dynamic = memory("GET_TM_RESOURCE_PARAMS")
    main = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
    for number in (1, 2):
        hosts = f"-Djdk.net.hosts.file={cluster.start_pool(number)}"
        command = ["java", *_OPENS, log, hosts, *jvm, "-cp", classes, main, "--configDir", conf]
        cluster.start(f"taskmanager{number}", [*command, *dynamic])
    jar = f"--flink_job_server_jar={home / 'job-server.jar'}"
    return ["--runner=FlinkRunner", "--flink_master=localhost:8081", "--flink_version=1.19", jar]


def _start_spark(cluster: Cluster, home: Path) -> list[str]:
    spark = home / f"pyspark-{SPARK}" / "deps"
    environment = {"SPARK_HOME": str(spark), "SPARK_SCALA_VERSION": "2.12"}
    environment["SPARK_LOCAL_IP"] = "127.0.0.1"
    java, jars, beam = ["java", "-Xmx512m", *_OPENS], f"{spark}/jars/*", f"{home}/jars/*"
    command = [*java, "-cp", jars, "org.apache.spark.deploy.master.Master"]
    command += ["--host", "127.0.0.1", "--port", 7077]
    cluster.start("master", command, ("127.0.0.1", 7077), **environment)
    for number in (1, 2):
        work = cluster.start_pool(number).parent
        command = [*java, "-cp", jars, "org.apache.spark.deploy.worker.Worker"]
        command += ["--host", "127.0.0.1", "--cores", 1, "--memory", "2g"]
        command += ["--work-dir", work, "spark://127.0.0.1:7077"]
        cluster.start(f"worker{number}", command, **environment)
    settings = {
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.executor.memory": "1g",
        # An executor's folder is two below that of its worker.
        "spark.executor.extraJavaOptions": " ".join([*_OPENS, "-Djdk.net.hosts.file=../../hosts"]),
        "spark.executor.extraClassPath": beam,
    }
    command = ["java", "-Xmx1g", *_OPENS, "-cp", f"{beam}:{jars}"]
    command += [f"-D{name}={value}" for name, value in settings.items()]
    command += [_RUNNERS["spark"][1], "--spark-master-url=spark://127.0.0.1:7077"]
    command += ["--job-port=8099", "--artifact-port=8098", "--expansion-port=0"]
    cluster.start("jobserver", command, ("127.0.0.1", 8099), **environment)
    endpoints = ["--job_endpoint=localhost:8099", "--artifact_endpoint=localhost:8098"]
    return ["--runner=PortableRunner", *endpoints]
