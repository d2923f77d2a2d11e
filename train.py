from gan_keras.cli.train import run

if __name__ == "__main__":
    raise SystemExit(run())
