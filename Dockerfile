# Trains, scores and exports: docker build --tag gan-keras .
# With NVIDIA's libraries: docker build --build-arg EXTRA='[cuda]' --tag gan-keras:cuda .
FROM python:3.12-slim

ARG EXTRA=""

# Numbers, so that Kubernetes can see that it is not root.
RUN useradd --uid 1000 --create-home gan
WORKDIR /opt/gan_keras
COPY setup.cfg pyproject.toml README.md LICENSE ./
COPY gan_keras ./gan_keras
RUN pip install --no-cache-dir ".${EXTRA}"

USER 1000:1000
# Runs and exports: mount a volume here.
WORKDIR /home/gan
CMD ["gan-keras-train", "--help"]
