package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"monban/server/config"
	"monban/server/signer"
)

// openSigner opens the keys of the data directory, or those that a signer of its own holds (D18).
func openSigner(cfg *config.Config) (signer.Signer, error) {
	if cfg.Signer.Socket == "" {
		return signer.Open(cfg.Path(keysDir), manifestVersion)
	}
	s, err := signer.OpenRemote(cfg.Path(keysDir), cfg.Signer.Socket)
	if err != nil {
		if here, herr := exists(cfg.Path(keysDir, string(signer.RoleLog)+".key")); herr == nil && here {
			err = fmt.Errorf("%w; the keys were not moved yet: run `monban-server signer split --config FILE` as root first", err)
		}
		return nil, err
	}
	return s, nil
}

// RunSigner serves the keys of log, policy and command until ctx ends. It opens nothing of the data
// directory: it is meant for a user who cannot read that, as the server's user cannot read its keys.
func RunSigner(ctx context.Context, cfg *config.Config, log *slog.Logger) error {
	if cfg.Signer.Socket == "" || cfg.Signer.KeysDir == "" {
		return errors.New("[signer] socket and keys_dir must be set for a signer of its own")
	}
	local, err := signer.Open(cfg.Signer.KeysDir, manifestVersion, signer.RoleLog, signer.RolePolicy, signer.RoleCommand)
	if err != nil {
		return fmt.Errorf("%w (were they moved with `monban-server signer split`?)", err)
	}
	local.DemandApprovals(approvals(cfg, time.Now))
	l, err := signer.Listen(ctx, cfg.Signer.Socket)
	if err != nil {
		return err
	}
	return signer.Serve(ctx, l, local, log)
}

// SplitSigner moves the keys of log, policy and command out of the data directory of a stopped server
// into [signer] keys_dir.
func SplitSigner(cfg *config.Config) error {
	if cfg.Signer.KeysDir == "" {
		return errors.New("[signer] keys_dir is not set: it says where the keys go")
	}
	l, err := lock(cfg.Path(lockFile))
	if err != nil {
		return err
	}
	return errors.Join(signer.Split(cfg.Path(keysDir), filepath.Clean(cfg.Signer.KeysDir)), l.Close())
}
