"""The contract between training and serving: what is in a version folder, and how it is verified.

    model_store/<name>/<version>/{manifest.json, model.onnx, tokenizer.json, README.md}

Nothing here runs a model. `service` and `training` both import this package. Of the service it
knows only how sampling options look (`runtime.sampling`), since a manifest holds some.
"""
