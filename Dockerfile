# docker build -t stepwell .
# docker run -e STEPWELL_REDIS_URL=redis://… -e STEPWELL_EVENT_KEYS=… -e STEPWELL_API_KEYS=… -p 8288:8288 stepwell

FROM python:3.13-slim AS wheels
WORKDIR /src
COPY . .
RUN pip wheel --no-cache-dir --wheel-dir /wheels .

FROM python:3.13-slim
RUN --mount=type=bind,from=wheels,source=/wheels,target=/wheels \
    pip install --no-cache-dir --no-index --find-links /wheels stepwell \
    && useradd --uid 10001 --create-home --home-dir /app stepwell
USER stepwell
WORKDIR /app
ENV PYTHONUNBUFFERED=1
EXPOSE 8288
# So that SIGTERM reaches the process itself, which then drains.
ENTRYPOINT ["stepwell"]
CMD ["server", "--host", "0.0.0.0"]
