import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from paper_tables.dag import Dag
from paper_tables.errors import PlanError
from paper_tables.paths import DIAGNOSIS_FILES, FIT_FILES, TRAIN_FILES, TierPaths

try:
    GRID = Dag(config)
except PlanError as error:
    raise WorkflowError(str(error)) from None

# Every job reads this file again: only the first process warns.
if workflow.is_main_process and GRID.plan(GRID.tier).warning:
    print(f"warning: {GRID.plan(GRID.tier).warning}", file=sys.stderr)

PLACES = TierPaths("{tier}")
JOB = "{algo}/{task}/{cell}/{seeds}"
RUN = PLACES.run("{algo}", "{task}", "{cell}", "{seeds}")
FIT = PLACES.fit("{algo}", "{task}", "{cell}", "{seeds}")


container: GRID.settings["container"]


wildcard_constraints:
    tier=r"[a-z0-9_]+",
    algo=r"[a-z0-9_]+",
    task=r"[^/]+",
    cell=r"[^/]+",
    seeds=r"seeds\d+-\d+",


onstart:
    GRID.write_cell_names()


rule all:
    input:
        GRID.tier_files(GRID.tier),
    localrule: True


rule results:
    input:
        GRID.tier_results(GRID.tier),
    localrule: True


for TIER in GRID.tiers:

    rule:
        name:
            TIER
        input:
            lambda _, tier=TIER: GRID.tier_files(tier),
        localrule: True


for TARGET in GRID.targets:

    rule:
        name:
            TARGET
        input:
            lambda _, target=TARGET: GRID.target_results(target),
        log:
            TierPaths(GRID.tier).log("report", TARGET),
        localrule: True
        params:
            options=GRID.report_options(GRID.tier),
        shell:
            "python -m analysis.report {params.options:q} > {log:q} 2>&1"


rule data:
    output:
        "data/{task}/{source}-{digest}.hdf5",
    log:
        "data/logs/{task}/{source}-{digest}.log",
    wildcard_constraints:
        source="local|d4rl|file",
        digest="[0-9a-f]{8}",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
        gpu=0,
    params:
        spec=lambda wildcards: GRID.data(wildcards).json,
    shell:
        "python -m envs.datasets generate --spec {params.spec:q} --out {output:q} > {log:q} 2>&1"


rule fit:
    input:
        data=lambda wildcards: GRID.fit(wildcards).data,
    output:
        [f"{FIT}/{name}" for name in FIT_FILES],
    log:
        PLACES.log("fit", JOB),
    threads: 1
    resources:
        mem_mb=lambda wildcards: GRID.fit(wildcards).mem_mb,
        runtime=lambda wildcards: GRID.fit(wildcards).runtime_min,
        gpu=int(GRID.device == "cuda"),
    params:
        digest=lambda wildcards: GRID.fit(wildcards).digest,
        spec=lambda wildcards: GRID.fit(wildcards).json,
        out=lambda _, output: Path(output[0]).parent,
        environment=lambda _, output: GRID.environment,
    shell:
        "{params.environment} python -m algos.fit --spec {params.spec:q} --data {input.data:q}"
        " --out {params.out:q} > {log:q} 2>&1"


rule train:
    input:
        data=lambda wildcards: GRID.train(wildcards).data,
        fits=GRID.fit_files,
    output:
        [f"{RUN}/{name}" for name in TRAIN_FILES],
    log:
        PLACES.log("train", JOB),
    threads: 1
    resources:
        mem_mb=lambda wildcards: GRID.train(wildcards).mem_mb,
        runtime=lambda wildcards: GRID.train(wildcards).runtime_min,
        gpu=int(GRID.device == "cuda"),
    params:
        digest=lambda wildcards: GRID.train(wildcards).digest,
        spec=lambda wildcards: GRID.train(wildcards).json,
        # Functions of `input` or `output` never trigger a re-run: folders, and the device.
        fits=lambda wildcards, input: GRID.fit_options(wildcards, input.fits),
        out=lambda _, output: Path(output[0]).parent,
        environment=lambda _, output: GRID.environment,
    shell:
        "{params.environment} python -m algos.train --spec {params.spec:q}"
        " --data {input.data:q} {params.fits:q} --out {params.out:q} > {log:q} 2>&1"


rule evaluate:
    input:
        [f"{RUN}/{name}" for name in TRAIN_FILES[:2]],
    output:
        f"{RUN}/evaluation.json",
    log:
        PLACES.log("evaluate", JOB),
    threads: 1
    resources:
        # VINS weighs 500 actions at each step: at the published number of starts for hours
        mem_mb=lambda wildcards: max(2000, GRID.train(wildcards).mem_mb),
        runtime=lambda wildcards: max(120, GRID.train(wildcards).runtime_min),
        gpu=int(GRID.device == "cuda"),
    params:
        run=lambda _, input: Path(input[0]).parent,
        environment=lambda _, output: GRID.environment,
    shell:
        "{params.environment} python -m algos.evaluate --run {params.run:q}"
        " --out {output:q} > {log:q} 2>&1"


rule diagnose:
    input:
        run=[f"{RUN}/{name}" for name in TRAIN_FILES[:2]],
        data=lambda wildcards: GRID.train(wildcards).data,
        fits=GRID.fit_files,
    output:
        [f"{RUN}/{name}" for name in DIAGNOSIS_FILES],
    log:
        PLACES.log("diagnose", JOB),
    threads: 1
    resources:
        mem_mb=lambda wildcards: GRID.train(wildcards).mem_mb,
        runtime=120,
        gpu=int(GRID.device == "cuda"),
    params:
        fits=lambda wildcards, input: GRID.fit_options(wildcards, input.fits),
        run=lambda _, input: Path(input.run[0]).parent,
        out=lambda _, output: Path(output[0]).parent,
        environment=lambda _, output: GRID.environment,
    shell:
        "{params.environment} python -m algos.diagnose --run {params.run:q}"
        " --data {input.data:q} {params.fits:q} --out {params.out:q} > {log:q} 2>&1"


rule result:
    input:
        f"{RUN}/run.json",
        f"{RUN}/evaluation.json",
    output:
        f"{RUN}/result.json",
    log:
        PLACES.log("result", JOB),
    localrule: True
    threads: 1
    resources:
        mem_mb=500,
        runtime=10,
        gpu=0,
    params:
        run=lambda _, input: Path(input[0]).parent,
    shell:
        "python -m algos.merge --run {params.run:q} --out {output:q} > {log:q} 2>&1"


rule tables:
    input:
        lambda wildcards: GRID.report_inputs(wildcards.tier),
    output:
        [report(file, **entry) for file, entry in GRID.report_entries().items()],
        GRID.report_files(),
    log:
        PLACES.log("report", "tables"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
        gpu=0,
    params:
        # Claims, published values and layouts: what the report reads besides results.
        digest=lambda wildcards: GRID.report_digest(wildcards.tier),
        options=lambda wildcards: GRID.report_options(wildcards.tier),
    shell:
        "python -m analysis.report {params.options:q} > {log:q} 2>&1"
