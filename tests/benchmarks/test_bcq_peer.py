"""Our BCQ and the peer it is measured against have the same networks."""

import itertools

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("d3rlpy")

from algos.offline.bcq import BCQ  # noqa: E402
from benchmarks.subjects import bcq  # noqa: E402
from benchmarks.subjects.common import training  # noqa: E402

DIMENSIONS = [(4, 2), (17, 6)]


def count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def ours(learner: BCQ) -> dict[str, int]:
    names = ("critic", "target_critic", "actor", "target_actor")
    return {"vae": count(learner.vae), **{name: count(getattr(learner, name)) for name in names}}


def theirs(observation_dim: int, action_dim: int) -> dict[str, int]:
    modules = bcq.peer(observation_dim, action_dim).impl.modules
    return {
        "vae": count(modules.vae_encoder) + count(modules.vae_decoder),
        "critic": count(modules.q_funcs),
        "target_critic": count(modules.targ_q_funcs),
        "actor": count(modules.policy),
        "target_actor": count(modules.targ_policy),
    }


@pytest.mark.parametrize(("observation_dim", "action_dim"), DIMENSIONS)
def test_both_have_the_same_number_of_parameters(observation_dim: int, action_dim: int) -> None:
    learner = bcq.learner(observation_dim, action_dim, rows=1000)
    assert ours(learner) == theirs(observation_dim, action_dim)


def test_parameters_are_those_of_the_authors_networks() -> None:
    state, action, latent = 4, 2, 4

    def layers(*sizes: int) -> int:
        return sum((i + 1) * o for i, o in itertools.pairwise(sizes))

    encoder = layers(state + action, 750, 750, 2 * latent)
    decoder = layers(state + latent, 750, 750, action)
    critic = layers(state + action, 400, 300, 1)
    actor = layers(state + action, 400, 300, action)
    expected = {
        "vae": encoder + decoder,
        "critic": 2 * critic,
        "target_critic": 2 * critic,
        "actor": actor,
        "target_actor": actor,
    }
    assert ours(bcq.learner(state, action, rows=1000)) == expected


def test_the_peer_has_our_constants() -> None:
    config = bcq.peer(4, 2).config
    assert (config.batch_size, config.n_action_samples, config.n_critics) == (100, 10, 2)
    assert (config.gamma, config.tau, config.lam) == (0.99, 0.005, 0.75)
    assert (config.action_flexibility, config.beta, config.rl_start_step) == (0.05, 0.5, 0)
    rates = (
        config.actor_learning_rate,
        config.critic_learning_rate,
        config.imitator_learning_rate,
    )
    assert rates == (1e-3, 1e-3, 1e-3)


def test_both_count_updates_and_learn() -> None:
    learner = bcq.learner(4, 2, runs=2, rows=1000, networks="small")
    before = learner.critic.weights[0].detach().clone()
    assert training(learner)(50) == 100.0
    assert not torch.equal(before, learner.critic.weights[0])
    algo = bcq.peer(4, 2)
    batch = bcq.peer_buffer(4, 2, rows=1000).sample_transition_batch(algo.batch_size)
    assert batch.observations.shape == (100, 4)
    assert set(algo.update(batch)) == {"vae_loss", "critic_loss", "actor_loss"}
