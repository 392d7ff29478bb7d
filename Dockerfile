# syntax=docker/dockerfile:1

# docker build -t image_gen_app .
# docker run -d --gpus all -v ~/.cache/huggingface:/app/cache -p 8501:8501 image_gen_app
#
# `--build-arg REQUIREMENTS=requirements-hosted.txt` adds what hosted models need (docs/hosted.md); keys are handed to the container.
# Leave out `--gpus all` on a machine without an NVIDIA GPU. docs/getting-started.md has the rest.

FROM python:3.11-slim

WORKDIR /app

# torch from here carries its own CUDA libraries; the host adds only the driver.
ARG REQUIREMENTS=requirements.txt
COPY requirements.txt requirements-hosted.txt ./
RUN --mount=type=cache,target=/root/.cache/pip pip install --disable-pip-version-check -r "$REQUIREMENTS"

# An ordinary user, and folders that any other user may write to as well, so that `--user "$(id -u):$(id -g)"` works.
RUN useradd --uid 1000 --home-dir /app/home --no-create-home darkroom \
    && mkdir -p cache home/.cache/darkroom outputs models \
    && chown -R darkroom:darkroom cache home outputs \
    && chmod -R 1777 cache home outputs

COPY . .

ENV HOME=/app/home \
    HF_HOME=/app/cache \
    DARKROOM_HOST=0.0.0.0 \
    PYTHONUNBUFFERED=1

USER 1000
VOLUME ["/app/cache", "/app/outputs"]
EXPOSE 8501

HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8501/healthz', timeout=4)"]

CMD ["sh", "-c", "exec streamlit run app.py --server.address \"$DARKROOM_HOST\" --server.port 8501"]
