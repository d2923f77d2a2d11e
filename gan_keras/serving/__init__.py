"""The embedded server: TensorFlow Serving's API in one Python process, without Docker.

`settings` says which models, `servable` is one loaded version, `sessions` runs its graph, `models`
keeps the versions in step with their folders. `limits` says how much is taken on: `connections` and
`bodies` hold to it while a request comes in, `workers` while it is computed; `batches` joins what
waits. `grpc_service` and `rest` are the two protocols, `tensors` and `json_tensors` their values,
`reports` logs what callers can cause, `server` runs it all.
"""
