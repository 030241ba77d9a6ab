# docker build --build-arg TORCH=cpu -t seglit .    # without CUDA; TORCH=lock has the CUDA build of the lock
# docker build --target serve --build-arg TORCH=cpu -t seglit-serve .    # the web service, see docs/serve.md
# docker run --rm --gpus all --shm-size 8g -v "$PWD:/work" -w /work seglit fit -c experiment.yaml
FROM python:3.12-slim AS train
ARG TORCH=lock

RUN apt-get update \
    && apt-get install --yes --no-install-recommends make \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home seglit \
    && install --directory --owner seglit --group seglit /opt/seglit /work
USER seglit
WORKDIR /opt/seglit

# What the set-up depends on comes first: a change of code does not repeat it.
COPY --chown=seglit Makefile pyproject.toml requirements.lock README.md LICENSE ./
COPY --chown=seglit seglit/__init__.py seglit/
RUN make setup PYTHON=python3.12 TORCH=${TORCH} && rm -rf ~/.cache
COPY --chown=seglit . .

ENV PATH="/opt/seglit/.venv/bin:$PATH"
WORKDIR /work
ENTRYPOINT ["seglit"]
CMD ["--help"]

FROM train AS serve
EXPOSE 8000
HEALTHCHECK --start-period=60s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health')"]
ENTRYPOINT ["seglit", "serve", "--host", "0.0.0.0"]

# the default target
FROM train
