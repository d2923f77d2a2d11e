from gan_keras.cli.export import run

if __name__ == "__main__":
    raise SystemExit(run())
